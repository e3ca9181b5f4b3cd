package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
)

// The tests of crashes, failures and damage share a small store of two logs and
// a history of what was appended to it. They return errors instead of failing a
// test, so that faults_test.go can ask whether they notice a fault.

const storeDir = "/data/world"

// optionsOf returns the options of the two logs: one file of batches, and
// segments of single records.
func optionsOf(fsys FS, dir string) (batches, singles Options) {
	return Options{Dir: dir, Name: "revisions", Key: "revisions", Perm: 0o644, FS: fsys},
		Options{Dir: dir, Name: "violations", Key: "violation", Perm: 0o600, SegmentBytes: 400, FS: fsys}
}

// store is the two logs, opened for writing as a FileStore opens them.
type store struct {
	*Dir
	logs [2]*Log
}

func openStore(fsys FS, change func(*Options)) (*store, error) {
	if err := MakeDir(fsys, storeDir); err != nil {
		return nil, err
	}
	s, err := readStore(fsys, change)
	if err != nil {
		return nil, err
	}
	if err := s.Recover(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func readStore(fsys FS, change func(*Options)) (*store, error) {
	a, b := optionsOf(fsys, storeDir)
	if change != nil {
		change(&a)
		change(&b)
	}
	d, err := OpenDir(a, b)
	if err != nil {
		return nil, err
	}
	return &store{d, [2]*Log{d.Log(0), d.Log(1)}}, nil
}

// outcome is what the caller of Append was told.
type outcome int

const (
	unknown outcome = iota
	acknowledged
	refused
)

// issued is a line that somebody wanted to append.
type issued struct {
	count   int
	json    string
	outcome outcome
}

// history is what was issued to each log, in order.
type history [2][]issued

func (h *history) clone() history { return history{slices.Clone(h[0]), slices.Clone(h[1])} }

// append issues a call to one of the logs: a batch in a line, or a line each.
func (h *history) append(s *store, log, n int) error {
	var entries []Entry
	for i := range n {
		// Every text is unique, and of another length than its neighbours.
		no := len(h[log])
		json := fmt.Sprintf(`{"text":"%d.%d %s"}`, log, no, strings.Repeat("x", no*7%40))
		if log == 0 {
			json = "[" + json + strings.Repeat(","+json, n-1) + "]"
		}
		h[log] = append(h[log], issued{count: 1, json: json})
		entries = append(entries, Entry{Count: 1, JSON: []byte(json)})
		if log == 0 {
			h[0][no].count, entries[i].Count = n, n
			break
		}
	}
	err := s.logs[log].Append(context.Background(), 0, entries...)
	last := h[log][len(h[log])-len(entries):]
	for i := range last {
		switch {
		case err == nil:
			last[i].outcome = acknowledged
		case !errors.Is(err, ErrBroken):
			last[i].outcome = refused
		}
	}
	return err
}

// check reads both logs and returns an error for everything that they promise
// and do not keep: what was acknowledged is there, once and in order, and
// nothing that was never issued or was refused. It records what is there as
// acknowledged: it may not vanish any more.
func (h *history) check(s *store) error {
	for log := range h {
		have := map[string]int{}
		for i, is := range h[log] {
			have[is.json] = i
		}
		at, number := -1, uint64(1)
		for line, err := range s.logs[log].Read(context.Background(), 0) {
			if err != nil {
				return fmt.Errorf("reading: %w", err)
			}
			i, ok := have[string(line.JSON)]
			if at < 0 && ok && s.logs[log].MaxBytes > 0 {
				// What comes before the first may have been deleted.
				at, number = i-1, line.First
				for k := range i {
					h[log][k].outcome = refused
				}
			}
			switch {
			case !ok:
				return fmt.Errorf("%s is there, and was never appended", line.JSON)
			case i <= at:
				return fmt.Errorf("%s is there twice or out of order", line.JSON)
			case h[log][i].outcome == refused:
				return fmt.Errorf("%s is there, though Append said that nothing had changed", line.JSON)
			case line.First != number || line.Last != number+uint64(h[log][i].count)-1:
				return fmt.Errorf("%s has the numbers %d to %d, not %d", line.JSON, line.First, line.Last, number)
			}
			for _, is := range h[log][at+1 : i] {
				if is.outcome == acknowledged {
					return fmt.Errorf("%s was acknowledged and is lost", is.json)
				}
			}
			// What was passed over is gone for good.
			for k := at + 1; k < i; k++ {
				h[log][k].outcome = refused
			}
			h[log][i].outcome = acknowledged
			at, number = i, line.Last+1
		}
		for k := at + 1; k < len(h[log]); k++ {
			if h[log][k].outcome == acknowledged {
				return fmt.Errorf("%s was acknowledged and is lost", h[log][k].json)
			}
			h[log][k].outcome = refused
		}
	}
	return nil
}

// live opens the store, appends, opens it again, and so on, until the store
// cannot be opened or the power is off. It returns the first error.
func (h *history) live(fsys FS, rounds int, change func(*Options)) error {
	var first error
	for round := range rounds {
		s, err := openStore(fsys, change)
		if err != nil {
			return fmt.Errorf("opening: %w", err)
		}
		if err := h.check(s); err != nil {
			s.Close()
			return fmt.Errorf("after opening: %w", err)
		}
		for i := range 4 {
			for log := range s.logs {
				err := h.append(s, log, 1+(round+i+log)%3)
				if first == nil {
					first = err
				}
				if errors.Is(err, errOff) {
					s.Close()
					return first
				}
			}
		}
		if err := s.Close(); first == nil {
			first = err
		}
	}
	return first
}

var errOff = errors.New("the power is off")

// off returns a file system whose power goes off before operation k, and
// whether that has happened.
func off(fsys FS, k int) (FS, *bool) {
	n, happened := 0, false
	return hookFS{fsys, func(string, string) error {
		if n++; n > k {
			happened = true
			return errOff
		}
		return nil
	}}, &happened
}

// testCrashes turns the power off before each operation of a small life, and
// looks at several states that this may leave on disk. Recovery from each state is
// cut off before one of its operations, too.
func testCrashes(wrap func(FS) FS, seed uint64, samples int, change func(*Options)) error {
	r := rand.New(rand.NewPCG(seed, 0))
	for k := 0; ; k++ {
		m := newMemFS()
		m.put("/data/other", "")
		fsys, happened := off(wrap(m), k)
		var h history
		err := h.live(fsys, 3, change)
		if err != nil && !errors.Is(err, errOff) {
			return err
		}
		for range samples {
			if err := testAfterCrash(wrap, m.crash(r), h.clone(), r, change); err != nil {
				return fmt.Errorf("power off before operation %d: %w", k, err)
			}
			if err := testAfterCrash(wrap, m.clone(), h.clone(), r, change); err != nil {
				return fmt.Errorf("killed before operation %d: %w", k, err)
			}
		}
		if !*happened {
			return nil
		}
	}
}

// testAfterCrash opens what a crash has left, now and then after crashes during
// recovery, and lives on with it through one more.
func testAfterCrash(wrap func(FS) FS, m *memFS, h history, r *rand.Rand, change func(*Options)) error {
	for r.IntN(2) == 0 {
		fsys, _ := off(wrap(m), r.IntN(40))
		if s, err := openStore(fsys, change); err == nil {
			if err := h.check(s); err != nil && !errors.Is(err, errOff) {
				return fmt.Errorf("after a crash during recovery: %w", err)
			}
		} else if !errors.Is(err, errOff) {
			return fmt.Errorf("after a crash during recovery: opening: %w", err)
		}
		m = m.crash(r)
	}
	fsys, _ := off(wrap(m), 30+r.IntN(60))
	if err := h.live(fsys, 2, change); err != nil && !errors.Is(err, errOff) {
		return err
	}
	m = m.crash(r)
	if err := h.live(wrap(m), 1, change); err != nil {
		return fmt.Errorf("after a second crash: %w", err)
	}
	return nil
}

// testFailures makes operation k of a small life fail, once or from then on,
// for all k, or once and a little later the power is lost. It opens the store
// again when all is well: by itself, and after a power loss.
func testFailures(wrap func(FS) FS, seed uint64, cause error, always, lost bool) error {
	r := rand.New(rand.NewPCG(seed, 1))
	for k := 1; ; k++ {
		m := newMemFS()
		m.put("/data/other", "")
		n, failed, end := 0, "", 1<<30
		if lost {
			end = k + 1 + r.IntN(20)
		}
		fsys := hookFS{m, func(op, name string) error {
			n++
			if n > end {
				return errOff
			}
			if n < k || n > k && !always {
				return nil
			}
			if failed == "" {
				failed = op + " " + filepath.Base(name)
			}
			if op == "sync" {
				m.dropped(name)
			}
			return pathError(op, name, cause)
		}}
		var h history
		err := h.live(wrap(fsys), 3, nil)
		if err != nil && !errors.Is(err, cause) && !errors.Is(err, errOff) {
			return fmt.Errorf("operation %d (%s) fails, and the error is another: %w", k, failed, err)
		}
		if m.open != 0 {
			return fmt.Errorf("operation %d (%s) fails, and %d files are left open", k, failed, m.open)
		}
		n = -1 << 30 // all is well again
		states := []*memFS{m.crash(r), m}
		for range 8 {
			if lost {
				states = append(states, m.crash(r))
			}
		}
		for _, m := range states {
			h := h.clone()
			if err := h.live(wrap(m), 1, nil); err != nil {
				return fmt.Errorf("operation %d (%s) has failed with %v; then: %w", k, failed, cause, err)
			}
			if always {
				// Where neither fsync nor the cut after it succeeds, the
				// system's cache shows what the disk does not have, to whoever
				// opens the log before a restart. The log cannot know.
				continue
			}
			if err := h.live(wrap(m.crash(r)), 1, nil); err != nil {
				return fmt.Errorf("operation %d (%s) has failed with %v; then, after a crash: %w", k, failed, cause, err)
			}
		}
		if failed == "" {
			return nil
		}
	}
}
