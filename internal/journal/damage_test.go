package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDamageToAnyByte(t *testing.T) {
	t.Parallel()
	require.NoError(t, testDamage(same))
}

func TestDamageToAnyByteOfASealedStore(t *testing.T) {
	t.Parallel()
	whole, _ := sealedStore(t)
	before := whole.files()
	for name, content := range before {
		if filepath.Dir(name) != storeDir {
			continue
		}
		for _, d := range damages(len(content)) {
			bad := string(d.do([]byte(content)))
			if bad == content {
				continue
			}
			m := whole.clone()
			m.put(name, bad)
			for log := range 2 {
				_, err := readAll(m, log)
				if log == 1 && err == nil {
					// Damage in an older segment is found when it is read.
					t.Fatalf("%s: %s: it was not noticed", filepath.Base(name), d.what)
				}
				if err == nil {
					continue
				}
				var ce *CorruptError
				require.ErrorAs(t, err, &ce, d.what)
				at := firstDifference(content, bad)
				line := 1 + strings.Count(content[:at], "\n")
				if !strings.HasPrefix(d.what, "cut") {
					require.Equal(t, name, ce.Path, d.what)
					require.Equal(t, line, ce.Line, "%s: %s", d.what, ce)
				}
				require.LessOrEqual(t, ce.Line, line)
				require.Equal(t, bad, m.files()[name], "not a byte is changed")
				require.Empty(t, m.files()[name+tornSuffix])
				break
			}
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
	if err := h.live(whole, 2, nil); err != nil {
		return err
	}
	if err := whole.Remove(filepath.Join(storeDir, sealName)); err != nil {
		return err
	}
	before := whole.files()
	names := slices.Sorted(maps.Keys(before))
	last := names[len(names)-1] // segment
	editions := uint64(0)
	for _, name := range names {
		for _, line := range strings.Split(before[name], "\n") {
			if p, err := parseLine([]byte(line), "violation"); err == nil {
				editions = max(editions, p.edition)
			}
		}
	}
	if editions == 0 {
		return errors.New("no line of the other log names a record")
	}
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
			if log == 0 && recordsOf(want[:len(got)]) < editions {
				return fail("%d records are there, and a line of the other log says %d", recordsOf(want[:len(got)]), editions)
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
	defer s.Close()
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
