package rest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// tlsConfig returns nil if the server is not to use TLS.
func tlsConfig(o Options) (*tls.Config, error) {
	if o.CertFile == "" && o.KeyFile == "" {
		return nil, nil
	}
	if o.CertFile == "" || o.KeyFile == "" {
		return nil, errors.New("normsync: serve: a certificate and its key belong together; set both --tls-cert and --tls-key")
	}
	certificate, err := readPair(o.CertFile, o.KeyFile)
	if err != nil {
		return nil, err
	}
	if err := checkWindow(certificate, o.CertFile, time.Now()); err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, nil
}

// readPair reads a certificate and its key.
func readPair(certFile, keyFile string) (pair tls.Certificate, err error) {
	cert, err := readPEM("certificate", certFile, "--tls-cert")
	if err != nil {
		return pair, err
	}
	key, err := readPEM("key of the certificate", keyFile, "--tls-key")
	if err != nil {
		return pair, err
	}
	if pair, err = tls.X509KeyPair(cert, key); err != nil {
		return pair, fmt.Errorf("normsync: serve: read certificate %s and key %s: %w; name a certificate by --tls-cert, and by --tls-key the key that belongs to it, both in PEM and without a passphrase", certFile, keyFile, err)
	}
	return pair, nil
}

func readPEM(what, file, flag string) ([]byte, error) {
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrPermission):
		err = fmt.Errorf("normsync: serve: read %s: %w; let the user that runs the server read the file", what, err)
	case err != nil:
		err = fmt.Errorf("normsync: serve: read %s: %w; name a PEM file by %s", what, err, flag)
	}
	return text, err
}

// checkWindow returns an error if clients refuse the certificate because of its dates.
func checkWindow(pair tls.Certificate, file string, now time.Time) error {
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	switch {
	case err != nil:
		return fmt.Errorf("normsync: serve: read certificate %s: %w", file, err) // cannot happen: X509KeyPair has parsed it
	case now.After(leaf.NotAfter):
		return fmt.Errorf("normsync: serve: the certificate %s has expired on %s, so no client would accept it; renew it", file, leaf.NotAfter.Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("normsync: serve: the certificate %s is not valid before %s, so no client would accept it; check the clock of this machine, or use another one", file, leaf.NotBefore.Format(time.RFC3339))
	}
	return nil
}
