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

// rememberStored is remember, and counts the violations of the store.
func (a *app) rememberStored(ctx context.Context, s *service.Service, path string) error {
	if err := a.remember(s, path); err != nil || path == "" {
		return err
	}
	return s.RememberStored(ctx)
}
