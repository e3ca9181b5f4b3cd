package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
type store struct{ logs [2]*Log }

func openStore(fsys FS, change func(*Options)) (*store, error) {
	if err := MakeDir(fsys, storeDir); err != nil {
		return nil, err
	}
	s, err := readStore(fsys, change)
	if err != nil {
		return nil, err
	}
	for _, l := range s.logs {
		if err := l.Recover(); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func readStore(fsys FS, change func(*Options)) (*store, error) {
	s := &store{}
	a, b := optionsOf(fsys, storeDir)
	for i, o := range []Options{a, b} {
		if change != nil {
			change(&o)
		}
		var err error
		if s.logs[i], err = Open(o); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *store) close() error { return errors.Join(s.logs[0].Close(), s.logs[1].Close()) }

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

// live opens the store, appends, opens it again, and so on, until an
// operation fails. It goes on after errors from which a log recovers.
func (h *history) live(fsys FS, rounds int) error {
	for round := range rounds {
		s, err := openStore(fsys, nil)
		if err != nil {
			return fmt.Errorf("opening: %w", err)
		}
		if err := h.check(s); err != nil {
			return fmt.Errorf("after opening: %w", err)
		}
		for i := range 4 {
			for log := range s.logs {
				if err := h.append(s, log, 1+(round+i+log)%3); err != nil {
					s.close()
					return err
				}
			}
		}
		if err := s.close(); err != nil {
			return err
		}
	}
	return nil
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
// looks at several states that this may leave on disk. From each, recovery is
// cut off in the same way before one of its operations.
func testCrashes(wrap func(FS) FS, seed uint64, samples int) error {
	r := rand.New(rand.NewPCG(seed, 0))
	for k := 0; ; k++ {
		m := newMemFS()
		m.put("/data/other", "")
		fsys, happened := off(wrap(m), k)
		var h history
		err := h.live(fsys, 3)
		if err != nil && !errors.Is(err, errOff) {
			return err
		}
		for range samples {
			if err := testAfterCrash(wrap, m.crash(r), h.clone(), r); err != nil {
				return fmt.Errorf("power off before operation %d: %w", k, err)
			}
		}
		if !*happened {
			return nil
		}
	}
}

// testAfterCrash opens what a crash has left, now and then after crashes during
// recovery, and lives on with it through one more.
func testAfterCrash(wrap func(FS) FS, m *memFS, h history, r *rand.Rand) error {
	for r.IntN(2) == 0 {
		fsys, _ := off(wrap(m), r.IntN(40))
		if s, err := openStore(fsys, nil); err == nil {
			if err := h.check(s); err != nil && !errors.Is(err, errOff) {
				return fmt.Errorf("after a crash during recovery: %w", err)
			}
		} else if !errors.Is(err, errOff) {
			return fmt.Errorf("after a crash during recovery: opening: %w", err)
		}
		m = m.crash(r)
	}
	fsys, _ := off(wrap(m), 30+r.IntN(60))
	if err := h.live(fsys, 2); err != nil && !errors.Is(err, errOff) {
		return err
	}
	m = m.crash(r)
	if err := h.live(wrap(m), 1); err != nil {
		return fmt.Errorf("after a second crash: %w", err)
	}
	return nil
}

// testFailures makes operation k of a small life fail, once or from then on,
// for all k, and opens the store again when all is well: by itself, and after a
// power loss.
func testFailures(wrap func(FS) FS, seed uint64, cause error, always bool) error {
	r := rand.New(rand.NewPCG(seed, 1))
	for k := 1; ; k++ {
		m := newMemFS()
		m.put("/data/other", "")
		n, failed := 0, ""
		fsys := hookFS{m, func(op, name string) error {
			if n++; n < k || n > k && !always {
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
		err := h.live(wrap(fsys), 3)
		if err != nil && !errors.Is(err, cause) {
			return fmt.Errorf("operation %d (%s) fails, and the error is another: %w", k, failed, err)
		}
		n = -1 << 30 // all is well again
		for _, m := range []*memFS{m.crash(r), m} {
			h := h.clone()
			if err := h.live(wrap(m), 1); err != nil {
				return fmt.Errorf("operation %d (%s) has failed with %v; then: %w", k, failed, cause, err)
			}
			if always {
				// Where neither fsync nor the cut after it succeeds, the
				// system's cache shows what the disk does not have, to whoever
				// opens the log before a restart. The log cannot know.
				continue
			}
			if err := h.live(wrap(m.crash(r)), 1); err != nil {
				return fmt.Errorf("operation %d (%s) has failed with %v; then, after a crash: %w", k, failed, cause, err)
			}
		}
		if failed == "" {
			return nil
		}
	}
}

// damage is one way to damage a file.
type damage struct {
	what string
	do   func(b []byte) []byte
}

// damages returns every flipped bit, every cut, and every zeroed block of a
// file.
func damages(size int) (all []damage) {
	for i := range size {
		for bit := range 8 {
			all = append(all, damage{fmt.Sprintf("bit %d of byte %d flipped", bit, i), func(b []byte) []byte {
				b[i] ^= 1 << bit
				return b
			}})
		}
		all = append(all, damage{fmt.Sprintf("cut to %d bytes", i), func(b []byte) []byte { return b[:i] }})
		for _, n := range []int{1, 16, 64, 512} {
			all = append(all, damage{fmt.Sprintf("%d bytes from %d on zeroed", n, i), func(b []byte) []byte {
				clear(b[i:min(len(b), i+n)])
				return b
			}})
		}
	}
	return all
}

// testDamage does every damage to every file of a store. The store must be
// opened whole, or without a tail that nothing proves to be acknowledged, or
// refused with every byte unchanged.
func testDamage(wrap func(FS) FS) error {
	whole := newMemFS()
	whole.put("/data/other", "")
	var h history
	if err := h.live(whole, 2); err != nil {
		return err
	}
	before := whole.files()
	names := slices.Sorted(maps.Keys(before))
	last := names[len(names)-1] // segment
	for _, name := range names {
		if filepath.Dir(name) != storeDir {
			continue
		}
		log := 0
		if strings.HasPrefix(filepath.Base(name), "violations") {
			log = 1
		}
		for _, d := range damages(len(before[name])) {
			m := newMemFS()
			for name, content := range before {
				m.put(name, content)
			}
			bad := string(d.do([]byte(before[name])))
			m.put(name, bad)
			if bad == before[name] {
				continue
			}
			fail := func(format string, args ...any) error {
				return fmt.Errorf("%s: %s: %w", filepath.Base(name), d.what, fmt.Errorf(format, args...))
			}
			got, err := readAll(wrap(m), log)
			var ce *CorruptError
			if errors.As(err, &ce) {
				at := firstDifference(before[name], bad)
				line := 1 + strings.Count(before[name][:at], "\n")
				if strings.HasPrefix(d.what, "cut") && ce.Line <= line || ce.Path == name && ce.Line == line && ce.Offset <= int64(at) && m.files()[name] == bad {
					continue
				}
				return fail("the file is changed, or the place is wrong: %w", err)
			}
			if err != nil {
				return fail("the error is no *CorruptError: %w", err)
			}
			// What came back must be a beginning of what was there, and what
			// is missing must be there in a .torn file, and be no more than can
			// be a torn tail: nothing, in a segment that has a successor; what
			// no line behind it vouches for, in the last; any number of whole
			// lines, where the file is cut off.
			want := h[log]
			if len(got) > len(want) {
				return fail("%d lines came back of %d", len(got), len(want))
			}
			for i := range got {
				if got[i] != want[i].json {
					return fail("line %d came back as %s", i+1, got[i])
				}
			}
			if len(got) == len(want) {
				return fail("it was not noticed")
			}
			good := strings.Join(strings.SplitAfter(bad, "\n")[:strings.Count(m.files()[name], "\n")], "")
			if m.files()[name] != good || m.files()[name+tornSuffix] != bad[len(good):] {
				return fail("what was cut off is not in a .torn file")
			}
			if log == 1 && name != last {
				return fail("%d lines of a segment that has a successor are gone", len(want)-len(got))
			}
			if strings.HasPrefix(d.what, "cut") {
				if got, want := strings.Count(m.files()[name], "\n"), strings.Count(bad, "\n"); got != want {
					return fail("%d lines are there of %d", got, want)
				}
			} else if n := vouched(before[name], bad); recordsOf(want[:len(got)]) < n {
				return fail("of %d acknowledged records %d are there", n, recordsOf(want[:len(got)]))
			}
		}
	}
	return nil
}

// readAll opens the store for writing and reads one of its logs.
func readAll(fsys FS, log int) (lines []string, err error) {
	s, err := openStore(fsys, nil)
	if err != nil {
		return nil, err
	}
	defer s.close()
	for line, err := range s.logs[log].Read(context.Background(), 0) {
		if err != nil {
			return nil, err
		}
		lines = append(lines, string(line.JSON))
	}
	return lines, nil
}

func recordsOf(lines []issued) (n uint64) {
	for _, l := range lines {
		n += uint64(l.count)
	}
	return n
}

// vouched returns the highest number that an undamaged line says was on disk.
func vouched(before, bad string) (n uint64) {
	for _, line := range strings.SplitAfter(before, "\n") {
		p, err := parseLine([]byte(strings.TrimSuffix(line, "\n")), "revisions")
		if err != nil {
			p, err = parseLine([]byte(strings.TrimSuffix(line, "\n")), "violation")
		}
		if err == nil && strings.Contains(bad, line) {
			n = max(n, p.durable)
		}
	}
	return n
}

func firstDifference(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
