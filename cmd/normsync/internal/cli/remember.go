package cli

import (
	"context"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/rules"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// remember lets a service add the facts that a rule file declares. The path may be empty.
func (a *app) remember(s *service.Service, path string) error {
	return a.rememberIn(s, path, (*rules.Set).NewMemory)
}

// rememberStored is remember, and counts the violations of the store.
func (a *app) rememberStored(ctx context.Context, s *service.Service, path string) error {
	if err := a.remember(s, path); err != nil || path == "" {
		return err
	}
	return s.RememberStored(ctx)
}

// rememberViolations is rememberStored for the facts that count violations. For a command
// that judges one action, nothing else has happened.
func (a *app) rememberViolations(ctx context.Context, s *service.Service, path string) error {
	if err := a.rememberIn(s, path, (*rules.Set).NewMemoryOfViolations); err != nil || path == "" {
		return err
	}
	return s.RememberStored(ctx)
}

// rememberIn lets a service remember in the memory of a rule file. The path may be empty.
func (a *app) rememberIn(s *service.Service, path string, newMemory func(*rules.Set) (*normsync.Memory, error)) error {
	if path == "" {
		return nil
	}
	set, err := a.readRules([]string{path})
	if err != nil {
		return err
	}
	if names := set.FactsOfNumbers(); len(names) > 0 {
		a.notef("normsync: note: the program does not apply the thresholds of %s; write what holds, such as %s, into the facts of an action", quote(path), names[0])
	}
	memory, err := newMemory(set)
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
