package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// open opens a log of single records for writing.
func open(t *testing.T, m *memFS, change func(*Options)) *Log {
	t.Helper()
	l := follow(t, m, change)
	require.NoError(t, l.Recover())
	t.Cleanup(func() { l.Close() })
	return l
}

// follow opens it for reading.
func follow(t *testing.T, m *memFS, change func(*Options)) *Log {
	t.Helper()
	if m.names["/data"] == nil {
		m.put("/data/other", "")
	}
	_, o := optionsOf(m, "/data")
	if change != nil {
		change(&o)
	}
	l, err := Open(o)
	require.NoError(t, err)
	return l
}

func write(t *testing.T, l *Log, texts ...string) {
	t.Helper()
	for _, text := range texts {
		require.NoError(t, l.Append(t.Context(), 0, Entry{1, []byte(text)}))
	}
}

func texts(t *testing.T, l *Log, after uint64) (all []string) {
	t.Helper()
	for line, err := range l.Read(t.Context(), after) {
		require.NoError(t, err)
		all = append(all, string(line.JSON))
	}
	return all
}

func numbers(from, to int) (all []string) {
	for i := from; i <= to; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

func TestReadAfterAnyNumber(t *testing.T) {
	for _, segmented := range []bool{false, true} {
		m := newMemFS()
		w := open(t, m, func(o *Options) {
			if !segmented {
				o.SegmentBytes = 0
			}
		})
		r := follow(t, m, func(o *Options) { *o = w.Options })
		write(t, w, numbers(1, 60)...)
		require.Equal(t, segmented, len(w.segments) > 5)
		for after := range 63 {
			for _, l := range []*Log{w, r} {
				require.Equal(t, numbers(after+1, 60), texts(t, l, uint64(after)))
			}
		}
		require.Empty(t, texts(t, w, 1<<64-1))
	}
}

// Append numbers the records, and Read yields whole lines.
func TestALineOfSeveralRecordsIsReadIfAnyOfThemIsWanted(t *testing.T) {
	l := open(t, newMemFS(), nil)
	require.NoError(t, l.Append(t.Context(), 0, Entry{3, []byte("[1,2,3]")}, Entry{1, []byte("[4]")}))
	for after := range uint64(3) {
		require.Equal(t, []string{"[1,2,3]", "[4]"}, texts(t, l, after))
	}
	require.Equal(t, []string{"[4]"}, texts(t, l, 3))
}

func TestALineThatIsMissingOrThereTwiceIsDamage(t *testing.T) {
	for _, last := range []bool{false, true} {
		m := newMemFS()
		w := open(t, m, nil)
		write(t, w, numbers(1, 30)...)
		if last {
			w = open(t, newMemFS(), func(o *Options) { o.SegmentBytes = 0 })
			m = w.FS.(*memFS)
			write(t, w, numbers(1, 30)...)
		}
		name := w.path(w.segments[0].name)
		lines := strings.SplitAfter(m.files()[name], "\n")
		require.Greater(t, len(lines), 5)
		for what, bad := range map[string][]string{
			"missing":     slices.Delete(slices.Clone(lines), 2, 3),
			"there twice": slices.Insert(slices.Clone(lines), 2, lines[1]),
		} {
			m := m.clone()
			m.put(name, strings.Join(bad, ""))
			o := w.Options
			o.FS = m
			l, err := Open(o)
			for line, rerr := range read(l) {
				err = rerr
				require.True(t, err != nil || line.First <= 2, "%s: number %d", what, line.First)
			}
			var damage *CorruptError
			require.ErrorAs(t, err, &damage, what)
			require.Equal(t, 3, damage.Line, what)
		}
	}
}

// read yields what a log has, which may be nil.
func read(l *Log) iter.Seq2[Line, error] {
	if l == nil {
		return func(func(Line, error) bool) {}
	}
	return l.Read(context.Background(), 0)
}

func TestANewSegmentReplacesNoFile(t *testing.T) {
	m := newMemFS()
	w := open(t, m, nil)
	write(t, w, "1")
	other := w.path(w.segmentName(2))
	m.put(other, "x")
	require.ErrorIs(t, w.Append(t.Context(), 0, Entry{1, []byte(`"` + strings.Repeat("x", 400) + `"`)}), fs.ErrExist)
	require.Equal(t, "x", m.files()[other])
	write(t, w, "2")
}

func TestBoundsAreThoseOfWhatIsRead(t *testing.T) {
	m := newMemFS()
	limit := func(o *Options) { o.MaxBytes = 1600 }
	w := open(t, m, limit)
	fail := ""
	r := follow(t, m, func(o *Options) {
		limit(o)
		o.FS = hookFS{m, func(op, _ string) error {
			if op == fail {
				return fs.ErrInvalid
			}
			return nil
		}}
	})
	for n := range 100 {
		for _, l := range []*Log{w, r} {
			var want []uint64
			for line, err := range l.Read(t.Context(), 0) {
				require.NoError(t, err)
				want = append(want, line.First)
			}
			first, last, err := l.Bounds(t.Context())
			require.NoError(t, err)
			require.Len(t, want, int(last+1-first))
			if len(want) > 0 {
				require.Equal(t, []uint64{want[0], want[len(want)-1]}, []uint64{first, last})
			}
			last, writer := l.Appended()
			require.Equal(t, l == w, writer)
			if writer {
				require.Equal(t, uint64(n), last)
			}
		}
		write(t, w, fmt.Sprint(n))
	}
	for _, fail = range []string{"readdir", "open", "read"} {
		_, _, err := r.Bounds(t.Context())
		require.ErrorIs(t, err, fs.ErrInvalid, fail)
	}
}

func TestReadingTheLatestReadsLittle(t *testing.T) {
	m := newMemFS()
	m.put("/data/other", "")
	read := 0
	fsys := hookFS{m, func(op, _ string) error {
		if op == "read" {
			read++
		}
		return nil
	}}
	big := func(o *Options) { o.FS, o.SegmentBytes = fsys, 0 }
	w := open(t, m, big)
	for i := range 40 {
		write(t, w, fmt.Sprintf(`"%d%s"`, i, strings.Repeat("x", 50000))) // 2 MB
	}
	for name, l := range map[string]*Log{"the writer": w, "a reader": follow(t, m, big)} {
		require.Len(t, texts(t, l, 0), 40)
		read = 0
		require.Len(t, texts(t, l, 38), 2)
		require.LessOrEqual(t, read, 3, name)
	}
}

// The same in segments before the last one.
func TestReadingAfterANumberReadsLittleOfAnOlderSegment(t *testing.T) {
	m := newMemFS()
	m.put("/data/other", "")
	read := 0
	fsys := hookFS{m, func(op, _ string) error {
		if op == "read" {
			read++
		}
		return nil
	}}
	big := func(o *Options) { o.FS, o.SegmentBytes = fsys, 4<<20 }
	w := open(t, m, big)
	line := func(i int) string { return fmt.Sprintf(`"%d%s"`, i, strings.Repeat("x", 20000)) }
	for i := range 500 { // 10 MB
		write(t, w, line(i+1))
	}
	require.Greater(t, len(w.segments), 2)
	second := w.segments[1].first
	for name, l := range map[string]*Log{"the writer": w, "a reader": follow(t, m, big)} {
		for after := range second - 1 {
			read = 0
			for got, err := range l.Read(t.Context(), after) {
				require.NoError(t, err)
				require.Equal(t, line(int(after+1)), string(got.JSON), name)
				break
			}
			require.LessOrEqual(t, read, 10, "%s reads at most a third of the segment, which takes 32 reads, after %d", name, after)
		}
	}

	// A fault behind the place where reading begins is reported with its line.
	text := m.files()["/data/"+w.segments[0].name]
	lines := strings.SplitAfter(text, "\n")
	faulty := len(lines) - 5
	lines[faulty] = strings.Replace(lines[faulty], "xx", "xy", 1)
	m.put("/data/"+w.segments[0].name, strings.Join(lines, ""))
	var damage *CorruptError
	reader := follow(t, m, big)
	files := m.open
	for _, err := range reader.Read(t.Context(), second-10) {
		if err != nil {
			require.ErrorAs(t, err, &damage)
		}
	}
	require.NotNil(t, damage)
	require.Equal(t, faulty+1, damage.Line)
	require.Equal(t, int64(len(strings.Join(lines[:faulty], ""))), damage.Offset)
	require.Equal(t, files, m.open, "finding the line closes its file")
}

func TestLongLines(t *testing.T) {
	m := newMemFS()
	w := open(t, m, nil)
	long := `"` + strings.Repeat("x", 10<<20) + `"`
	write(t, w, "1", long, "3")
	require.Equal(t, []string{"1", long, "3"}, texts(t, w, 0))
	require.NoError(t, w.Close())
	require.Equal(t, []string{"1", long, "3"}, texts(t, open(t, m, nil), 0))
}

func TestAReaderMeetsARewrittenTail(t *testing.T) {
	m := newMemFS()
	big := func(o *Options) { o.SegmentBytes = 1 << 20 }
	w := open(t, m, big)
	r := follow(t, m, big)
	text := func(i, size int) string { return fmt.Sprintf(`"%d %s"`, i, strings.Repeat("x", size)) }
	write := func(i, size int) { // two records in a line
		require.NoError(t, w.Append(t.Context(), 0, Entry{2, []byte(text(i, size))}))
	}
	for i := range 4 {
		write(i, 60000)
	}
	name := "/data/" + w.segments[0].name
	whole := m.files()[name]
	for i := 4; i < 7; i++ {
		write(i, 60000)
	}
	require.NoError(t, w.Close())
	var got []string
	for line, err := range r.Read(t.Context(), 0) {
		require.NoError(t, err)
		got = append(got, strings.Fields(string(line.JSON))[0][1:])
		if line.First == 9 {
			// The writer lost power before it could sync what came after the
			// fourth, and goes on with other lines.
			f, err := m.OpenFile(name, writeOld, 0)
			require.NoError(t, err)
			require.NoError(t, f.Truncate(int64(len(whole))))
			w = open(t, m, big)
			for i := 10; i < 50; i++ {
				write(i, 5000)
			}
		}
	}
	require.Equal(t, append(numbers(0, 5), numbers(12, 49)...), got,
		"no damage is reported, and numbers do not come twice")
}

func TestAReaderHasCheckpointsOfARewrittenTail(t *testing.T) {
	m := newMemFS()
	big := func(o *Options) { o.SegmentBytes = 1 << 20 }
	w := open(t, m, big)
	text := func(i, size int) string { return fmt.Sprintf(`"%d %s"`, i, strings.Repeat("x", size)) }
	for i := range 8 {
		write(t, w, text(i, 70000))
	}
	r := follow(t, m, big)
	require.Len(t, texts(t, r, 0), 8)
	name := "/data/" + w.segments[0].name
	require.NoError(t, w.Close())
	f, err := m.OpenFile(name, writeOld, 0)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(int64(len(firstLine(m.files()[name])))))
	w = open(t, m, big)
	for i := range 60 {
		write(t, w, text(i, 9999))
	}
	for after := range uint64(10) {
		require.Equal(t, texts(t, w, after), texts(t, r, after))
	}

	// The file is shorter than it was, and has more lines.
	require.NoError(t, w.Close())
	require.NoError(t, f.Truncate(int64(len(firstLine(m.files()[name])))))
	w = open(t, m, big)
	write(t, w, numbers(1, 90)...)
	for after := range uint64(90) {
		require.Equal(t, numbers(max(1, int(after)), 90), texts(t, r, max(1, after)))
	}
}

func TestRetention(t *testing.T) {
	m := newMemFS()
	limit := func(o *Options) { o.MaxBytes = 1600 }
	w := open(t, m, limit)
	write(t, w, numbers(1, 30)...)
	r := follow(t, m, limit)
	for name, l := range map[string]*Log{"the writer": w, "a reader": r} {
		got := []string{}
		last := 0
		for line, err := range l.Read(t.Context(), 0) {
			require.NoError(t, err, name)
			require.Greater(t, int(line.First), last)
			last = int(line.First)
			got = append(got, string(line.JSON))
			if len(got) == 2 {
				write(t, w, numbers(1, 60)...) // everything read so far, and more, is deleted
			}
		}
		require.Greater(t, len(got), 2, name)
	}
	names, err := m.ReadDir("/data")
	require.NoError(t, err)
	size := 0
	for _, name := range names {
		size += len(m.files()["/data/"+name])
	}
	require.LessOrEqual(t, size, 1600)
	require.Greater(t, size, 800)
	require.NoError(t, w.Close())
	before := len(texts(t, r, 0))
	require.Len(t, texts(t, open(t, m, limit), 0), before)
}

func TestRetentionLeavesTheLastSegment(t *testing.T) {
	m := newMemFS()
	w := open(t, m, nil)
	for i := 1; len(w.segments) < 2; i++ {
		write(t, w, fmt.Sprint(i))
	}
	last := w.segments[1]
	require.NoError(t, w.Close())
	size := len(m.files()[w.path(w.segments[0].name)]) + len(m.files()[w.path(last.name)])
	w = open(t, m, func(o *Options) { o.MaxBytes = int64(size) })
	require.Len(t, w.segments, 2, "as much as is allowed")
	require.NoError(t, w.Close())
	torn := func(first uint64) string { return w.path(w.segmentName(first)) + tornSuffix }
	m.put(torn(1), "torn")
	m.put(torn(last.first), "torn, too")
	w = open(t, m, func(o *Options) { o.MaxBytes = 1 })
	require.Equal(t, []segment{last}, w.segments)
	require.Equal(t, []string{fmt.Sprint(last.first)}, texts(t, w, 0))
	require.NotContains(t, m.files(), torn(1), "what was kept of a segment is deleted with it")
	require.Contains(t, m.files(), torn(last.first))
}

// Only whole segments are deleted, so they must not be large.
func TestASegmentIsAtMostAQuarterOfMaxBytes(t *testing.T) {
	m := newMemFS()
	w := open(t, m, func(o *Options) { o.SegmentBytes, o.MaxBytes = 1<<20, 4000 })
	write(t, w, numbers(1, 200)...)
	line := len(firstLine(m.files()[w.path(w.segments[0].name)]))
	for _, s := range w.segments[:len(w.segments)-1] {
		size := len(m.files()[w.path(s.name)])
		require.LessOrEqual(t, size, 1000)
		require.Greater(t, size+line, 1000)
	}
	w = open(t, m, func(o *Options) { o.Name, o.SegmentBytes, o.MaxBytes = "another", 1<<20, 3 })
	write(t, w, numbers(1, 3)...)
	require.Equal(t, []string{"3"}, texts(t, w, 0), "a line is at least a segment")
}

func TestRetentionWaitsForAFileThatCannotBeDeleted(t *testing.T) {
	m := newMemFS()
	m.put("/data/other", "")
	stuck := true
	fsys := hookFS{m, func(op, name string) error {
		if stuck && op == "remove" {
			return pathError(op, name, fs.ErrPermission)
		}
		return nil
	}}
	limit := func(o *Options) { o.FS, o.MaxBytes = fsys, 1600 }
	w := open(t, m, limit)
	write(t, w, numbers(1, 100)...)
	require.Equal(t, numbers(1, 100), texts(t, w, 0))
	stuck = false
	write(t, w, numbers(101, 110)...)
	require.Less(t, len(texts(t, w, 0)), 40)
	require.NoError(t, m.Remove(w.path(w.segments[0].name)))
	write(t, w, numbers(111, 130)...)
	require.Less(t, len(texts(t, w, 0)), 40, "a file that somebody else has deleted is no obstacle")
	write(t, open(t, m, func(o *Options) { o.FS, o.Name = fsys, "another" }), "1")
}

// After a crash the next deletion could be on disk, and this one not.
func TestADeletionThatMayNotBeOnDiskBreaksTheLog(t *testing.T) {
	m := newMemFS()
	m.put("/data/other", "")
	removed := false
	w := open(t, m, func(o *Options) {
		o.MaxBytes = 1600
		o.FS = hookFS{m, func(op, name string) error {
			if op == "syncdir" && removed {
				removed = false // all else succeeds
				return pathError(op, name, fs.ErrInvalid)
			}
			removed = removed || op == "remove"
			return nil
		}}
	})
	var err error
	for i := 0; err == nil && i < 100; i++ {
		err = w.Append(t.Context(), 0, Entry{1, []byte("1")})
	}
	require.ErrorIs(t, err, ErrBroken)
	require.ErrorIs(t, err, fs.ErrInvalid)
	require.ErrorIs(t, w.Append(t.Context(), 0, Entry{1, []byte("1")}), ErrBroken)
}

// The writer reads while it deletes.
func TestASegmentIsNotLookedForOnceItIsDeleted(t *testing.T) {
	m := newMemFS()
	var w *Log
	deleted := 0
	var failed error // require would leave the commit unfinished
	w = open(t, m, func(o *Options) {
		o.MaxBytes = 1600
		o.FS = removing{m, func() {
			deleted++
			for _, err := range w.Read(t.Context(), 0) {
				failed = errors.Join(failed, err)
			}
		}}
	})
	write(t, w, numbers(1, 100)...)
	require.Positive(t, deleted)
	require.NoError(t, failed)
}

// removing calls after when a file was removed.
type removing struct {
	FS
	after func()
}

func (r removing) Remove(name string) error {
	err := r.FS.Remove(name)
	if err == nil {
		r.after()
	}
	return err
}

// A listing is no snapshot: it may show a file that was made while it went on,
// and not show one that was made before.
func TestAReaderListsWhileFilesAreMade(t *testing.T) {
	m := newMemFS()
	w := open(t, m, nil)
	write(t, w, numbers(1, 30)...)
	listings := 0
	r := follow(t, m, func(o *Options) { o.FS = blinking{m, &listings} })
	require.Equal(t, numbers(1, 30), texts(t, r, 0))
	require.Greater(t, listings, 3)
}

// blinking does not show the second segment at every other listing.
type blinking struct {
	FS
	listings *int
}

func (b blinking) ReadDir(name string) ([]string, error) {
	names, err := b.FS.ReadDir(name)
	if *b.listings++; *b.listings%2 == 1 {
		names = slices.Delete(names, 2, 3)
	}
	return names, err
}

func TestSegmentsThatDoNotFit(t *testing.T) {
	whole := newMemFS()
	w := open(t, whole, nil)
	write(t, w, numbers(1, 40)...)
	require.Greater(t, len(w.segments), 5)
	path := func(i int) string { return w.path(w.segments[i].name) }
	last := len(w.segments) - 1
	for name, c := range map[string]struct {
		spoil func(m *memFS)
		path  string
		said  string
	}{
		"one is missing":         {func(m *memFS) { m.Remove(path(2)) }, path(3), "missing before it"},
		"two are missing":        {func(m *memFS) { m.Remove(path(2)); m.Remove(path(3)) }, path(4), "missing before it"},
		"one is empty":           {func(m *memFS) { m.put(path(2), "") }, path(3), "missing before it"},
		"one ends between lines": {func(m *memFS) { m.put(path(2), firstLine(m.files()[path(2)])) }, path(3), "missing before it"},
		"two have changed places": {func(m *memFS) {
			a, b := m.files()[path(2)], m.files()[path(3)]
			m.put(path(2), b)
			m.put(path(3), a)
		}, path(2), "against its name"},
		"one is there twice":            {func(m *memFS) { m.put("/data/violations-1.jsonl", m.files()[path(0)]) }, "/data/violations-1.jsonl", "same number"},
		"one overlaps with the next":    {func(m *memFS) { m.put(path(2), m.files()[path(2)]+firstLine(m.files()[path(3)])) }, path(3), "it begins with number"},
		"one is in a newer format":      {func(m *memFS) { m.put(path(last), `{"v":4,"n":"x"}`+"\n") }, path(last), "format version 4"},
		"one goes on in a newer format": {func(m *memFS) { m.put(path(last), m.files()[path(last)]+`{"v":3,"n":"x"}`+"\n") }, path(last), "format version 3"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemFS()
			for name, content := range whole.files() {
				m.put(name, content)
			}
			c.spoil(m)
			before := m.files()
			o := w.Options
			o.FS = m
			_, err := Open(o)
			var ce *CorruptError
			require.ErrorAs(t, err, &ce)
			require.Equal(t, c.path, ce.Path)
			require.ErrorContains(t, err, c.said)
			require.Equal(t, before, m.files())
		})
	}
	whole.put("/data/violations-backup.jsonl", "x")
	whole.put("/data/violations-.jsonl", "x")
	whole.put("/data/violations-0.jsonl", "x")
	require.Equal(t, numbers(1, 40), texts(t, follow(t, whole, nil), 0), "files of other names are not looked at")
}

func firstLine(content string) string { return strings.SplitAfter(content, "\n")[0] }

func TestDamageWhileTheLogIsOpen(t *testing.T) {
	m := newMemFS()
	w := open(t, m, nil)
	write(t, w, numbers(1, 10)...)
	name := w.path(w.segments[len(w.segments)-1].name)
	content := m.files()[name]
	for what, bad := range map[string]string{
		"cut short":         content[:len(content)-3],
		"cut between lines": firstLine(content),
		"changed":           strings.Replace(content, `"violation":`, `"violatiom":`, 1),
	} {
		m.put(name, bad)
		n := 0
		var ce *CorruptError
		for line, err := range w.Read(t.Context(), 0) {
			if err != nil {
				require.ErrorAs(t, err, &ce, what)
				require.Equal(t, name, ce.Path)
				require.Zero(t, line)
			} else {
				require.Nil(t, ce, "an error ends the sequence")
				n++
			}
		}
		require.NotNil(t, ce, what)
		require.Less(t, n, 10)
	}
}

func TestReadingStopsWithItsContext(t *testing.T) {
	w := open(t, newMemFS(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	write(t, w, numbers(1, 10)...)
	var got []uint64
	for line, err := range w.Read(ctx, 0) {
		if got = append(got, line.First); len(got) == 3 {
			cancel()
		}
		if len(got) > 3 {
			require.ErrorIs(t, err, context.Canceled)
		}
	}
	require.Equal(t, []uint64{1, 2, 3, 0}, got)
}

func TestErrorsOfReadingAreNotDamage(t *testing.T) {
	m := newMemFS()
	write(t, open(t, m, nil), numbers(1, 10)...)
	odd := errors.New("odd")
	fail := ""
	_, o := optionsOf(hookFS{m, func(op, _ string) error {
		if op == fail {
			return odd
		}
		return nil
	}}, "/data")
	l, err := Open(o)
	require.NoError(t, err)
	for _, fail = range []string{"open", "read", "stat", "readdir"} {
		_, err := Open(o)
		require.ErrorIs(t, err, odd, fail)
		for _, err := range l.Read(t.Context(), 5) {
			require.ErrorIs(t, err, odd, fail)
		}
	}
}

func TestErrorsOfOneSegmentAreReported(t *testing.T) {
	m := newMemFS()
	w := open(t, m, nil)
	write(t, w, numbers(1, 30)...)
	require.Greater(t, len(w.segments), 2)
	odd := errors.New("odd")
	for _, s := range w.segments {
		for _, op := range []string{"open", "read", "stat"} {
			_, o := optionsOf(hookFS{m, func(now, name string) error {
				if now == op && filepath.Base(name) == s.name {
					return odd
				}
				return nil
			}}, "/data")
			_, err := Open(o)
			require.ErrorIs(t, err, odd, "%s %s", op, s.name)
		}
	}
}
