package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/sqlstore"
)

// roles are what a process that a test starts can do.
var roles = map[string]func(ctx context.Context, args []string) error{
	"apply":  playApply,
	"write":  playWrite,
	"follow": playFollow,
	"try":    playTry,
}

// playApply applies a number of changes, waits until the store has a number of
// editions, and prints a hash of its constitution.
func playApply(ctx context.Context, args []string) error {
	place, name := args[0], args[1]
	applies, _ := strconv.Atoi(args[2])
	editions, _ := strconv.ParseUint(args[3], 10, 64)
	s, err := open(ctx, place)
	if err != nil {
		return err
	}
	defer s.Close()
	m, err := normsync.Open(ctx, s, nil)
	if err != nil {
		return err
	}
	for i := range applies {
		if _, err := m.Apply(ctx, enact(fmt.Sprintf("%s %d", name, i), name)); err != nil {
			return err
		}
	}
	for m.Constitution().Edition() < editions {
		if err := s.WaitRevisions(ctx, m.Constitution().Edition()); err != nil {
			return err
		}
		if _, err := m.Sync(ctx); err != nil {
			return err
		}
	}
	fmt.Println(fingerprint(m.Constitution()))
	return nil
}

// fingerprint returns a hash of a constitution.
func fingerprint(c *normsync.Constitution) string {
	h := fnv.New64a()
	for n := range c.All() {
		fmt.Fprintf(h, "%+v\n", n)
	}
	return fmt.Sprintf("edition %d, %d norms, %x", c.Edition(), c.Len(), h.Sum64())
}

// playWrite appends revisions and violations in batches until it is killed. After
// each batch it prints its name and what the store said: stored, failed or
// unknown.
func playWrite(ctx context.Context, args []string) error {
	s, err := open(ctx, args[0])
	if err != nil {
		return err
	}
	born := os.Getpid()
	var printing sync.Mutex
	say := func(batch string, err error) {
		outcome := "stored"
		if errors.Is(err, sqlstore.ErrUnknownOutcome) {
			outcome = "unknown"
		} else if err != nil {
			outcome = "failed"
		}
		printing.Lock()
		defer printing.Unlock()
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", batch, err)
		}
		fmt.Println(outcome + " " + batch)
		if err != nil {
			time.Sleep(time.Millisecond) // the server is away
		}
	}
	m, err := normsync.Open(ctx, s, nil)
	if err != nil {
		return err
	}
	go func() {
		for n := 0; ; n++ {
			size := 1 + n%5
			batch := fmt.Sprintf("r-%d-%d-%d", born, n, size)
			var changes []normsync.Change
			for i := range size {
				changes = append(changes, enact(fmt.Sprintf("%s %d", batch, i), batch))
			}
			_, err := m.Apply(ctx, changes...)
			say(batch, err)
			if err != nil {
				_, _ = m.Sync(ctx)
			}
		}
	}()
	for g := range 3 {
		go func() {
			for n := 0; ; n++ {
				size := 1 + n%40
				batch := fmt.Sprintf("v-%d-%d-%d-%d", born, g, n, size)
				var vs []normsync.Violation
				for i := range size {
					v := violation(i)
					v.Action.Agent, v.Action.Target = batch, fmt.Sprint(i)
					vs = append(vs, v)
				}
				say(batch, s.AppendViolations(ctx, vs...))
			}
		}()
	}
	select {}
}

// playFollow prints each edition and the moment at which it was in force.
func playFollow(ctx context.Context, args []string) error {
	s, err := open(ctx, args[0])
	if err != nil {
		return err
	}
	m, err := normsync.Open(ctx, s, nil)
	if err != nil {
		return err
	}
	fmt.Println("ready", m.Constitution().Edition())
	for revs, err := range m.Follow(ctx) {
		now := time.Now().UnixNano()
		if err != nil {
			return err
		}
		for _, r := range revs {
			fmt.Println("force", r.Edition, now)
		}
	}
	return nil
}

// playTry opens a store, reads it, and appends to it, and prints the errors.
func playTry(ctx context.Context, args []string) error {
	s, err := open(ctx, args[0])
	if err != nil {
		fmt.Println("open:", err)
		return nil
	}
	defer s.Close()
	for _, err := range s.Violations(ctx, 0) {
		fmt.Println("read:", err)
	}
	fmt.Println("append:", s.AppendViolations(ctx, violation(0)))
	return nil
}
