package rest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// Serve serves the API until ctx ends. It then lets requests in progress finish, and
// stores what they recorded; closing the service is up to the caller. The error is nil
// if nothing was lost.
func Serve(ctx context.Context, s *service.Service, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server, err := newServer(ctx, s, o)
	if err != nil {
		return err
	}
	return server.serve(ctx)
}

func (s *server) serve(ctx context.Context) error {
	o := s.options
	config, err := tlsConfig(o)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Addr)
	if err != nil {
		return fmt.Errorf("normsync: serve on %s: %w; stop the program that uses it, or choose another port", o.Addr, err)
	}
	if a, ok := listener.Addr().(*net.TCPAddr); o.Token == "" && ok && !a.IP.IsLoopback() { // the name has another address now
		return errors.Join(needsToken(a.String()), listener.Close())
	}
	server := &http.Server{
		Handler:           s,
		TLSConfig:         config,
		ReadHeaderTimeout: o.Limits.Header,
		ReadTimeout:       o.Limits.Read,
		WriteTimeout:      o.Limits.Read + o.Limits.Write, // counts from the end of the header
		IdleTimeout:       o.Limits.Idle,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	scheme := "http"
	if config != nil {
		scheme = "https"
	}
	go func() {
		if config != nil {
			served <- server.ServeTLS(listener, "", "")
			return
		}
		served <- server.Serve(listener)
	}()
	if o.Started != nil {
		o.Started(scheme + "://" + listener.Addr().String())
	}
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-served: // the listener has failed
	}
	grace, stop := context.WithTimeout(context.WithoutCancel(ctx), o.Limits.Shutdown)
	defer stop()
	if err := server.Shutdown(grace); err != nil {
		o.Log.Warn("requests were cut off", "error", err)
		failed = errors.Join(failed, server.Close())
	}
	stored, stop := context.WithTimeout(context.WithoutCancel(ctx), o.Limits.Shutdown)
	defer stop()
	if err := s.service.Flush(stored); err != nil {
		failed = errors.Join(failed, fmt.Errorf("normsync: serve: store recorded violations: %w", err))
	}
	return failed
}
