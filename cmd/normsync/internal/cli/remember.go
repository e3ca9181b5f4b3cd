package cli

import (
	"context"

	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// remember lets a service add the facts that a rule file declares. The path may be empty.
func (a *app) remember(s *service.Service, path string) error {
	if path == "" {
		return nil
	}
	set, err := a.readRules([]string{path})
	if err != nil {
		return err
	}
	memory, err := set.NewMemory()
	if err != nil {
		return err
	}
	return s.Remember(memory)
}

// withServer is withService for a server, which remembers the facts of a rule file.
func (a *app) withServer(ctx context.Context, readOnly bool, ruleFile string, do func(*service.Service) error) error {
	mode := service.Create
	if readOnly {
		mode = service.Read
	}
	return a.withService(ctx, mode, func(s *service.Service) error {
		if err := a.rememberStored(ctx, s, ruleFile); err != nil {
			return err
		}
		return do(s)
	})
}

// rememberStored is remember, and counts the violations of the store.
func (a *app) rememberStored(ctx context.Context, s *service.Service, path string) error {
	if err := a.remember(s, path); err != nil || path == "" {
		return err
	}
	return s.RememberStored(ctx)
}
