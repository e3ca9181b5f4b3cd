package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// slowDisk is a store whose fsyncs wait until they are let go, one by one.
type slowDisk struct {
	*Log
	mem     *memFS
	letGo   chan struct{}
	waiting chan struct{} // has one for each fsync that has begun
}

func newSlowDisk(t *testing.T) *slowDisk {
	d := &slowDisk{mem: newMemFS(), letGo: make(chan struct{}), waiting: make(chan struct{}, 100)}
	d.mem.put("/data/other", "")
	slow := false
	_, o := optionsOf(hookFS{d.mem, func(op, _ string) error {
		if slow && op == "sync" {
			d.waiting <- struct{}{}
			<-d.letGo
		}
		return nil
	}}, "/data")
	o.SegmentBytes = 1 << 20
	var err error
	d.Log, err = Open(o)
	require.NoError(t, err)
	require.NoError(t, d.Recover())
	slow = true
	return d
}

// append starts an append and returns what it will say.
func (d *slowDisk) append(ctx context.Context, json string) chan error {
	said := make(chan error, 1)
	go func() { said <- d.Append(ctx, 0, Entry{1, []byte(json)}) }()
	synctest.Wait()
	return said
}

func (d *slowDisk) texts() (all string) {
	for line, err := range d.Read(context.Background(), 0) {
		if err != nil {
			return all + err.Error()
		}
		all += string(line.JSON)
	}
	return all
}

func TestAppendsThatWaitShareAnFsync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newSlowDisk(t)
		var said []chan error
		for i := range 10 {
			said = append(said, d.append(t.Context(), fmt.Sprint(i)))
		}
		require.Len(t, d.waiting, 1)
		d.letGo <- struct{}{}
		require.NoError(t, <-said[0])
		synctest.Wait()
		require.Len(t, d.waiting, 2, "nine appends have waited for the first fsync, and share the second")
		require.Equal(t, "0", d.texts(), "what is not on disk yet is not read")
		d.letGo <- struct{}{}
		for _, c := range said[1:] {
			require.NoError(t, <-c)
		}
		require.Equal(t, "0123456789", d.texts())
	})
}

func TestContextEndsWhileAnAppendWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newSlowDisk(t)
		first := d.append(t.Context(), "1")
		ctx, cancel := context.WithCancel(t.Context())
		queued := d.append(ctx, "2")
		cancel()
		err := <-queued
		require.Equal(t, context.Canceled, err, "it was not begun, and nothing is unknown")

		// One of the next two becomes the leader, and the other gives up.
		ctx, cancel = context.WithCancel(t.Context())
		a, b := d.append(ctx, "3"), d.append(ctx, "4")
		d.letGo <- struct{}{}
		require.NoError(t, <-first)
		synctest.Wait()
		require.Len(t, d.waiting, 2)
		cancel()
		synctest.Wait()
		select {
		case err = <-a:
			a = b
		case err = <-b:
		}
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "unknown")
		d.letGo <- struct{}{}
		require.NoError(t, <-a)
		require.Equal(t, "134", d.texts())
		require.Equal(t, context.Canceled, <-d.append(ctx, "5"))
	})
}

func TestCloseWaitsForACommitAndRefusesTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newSlowDisk(t)
		first, second := d.append(t.Context(), "1"), d.append(t.Context(), "2")
		closed := make(chan error, 1)
		go func() { closed <- d.Close() }()
		synctest.Wait()
		require.Empty(t, closed)
		require.ErrorIs(t, <-d.append(t.Context(), "3"), fs.ErrClosed)
		d.letGo <- struct{}{}
		require.NoError(t, <-first)
		synctest.Wait()
		// Close and the second append are after the same lead; either way the
		// append is told what became of it.
		want := "1"
		if len(d.waiting) == 2 {
			d.letGo <- struct{}{}
			require.NoError(t, <-second)
			want = "12"
		} else {
			require.ErrorIs(t, <-second, fs.ErrClosed)
		}
		require.NoError(t, <-closed)
		require.ErrorIs(t, d.Close(), fs.ErrClosed)
		require.Equal(t, fs.ErrClosed.Error(), d.texts())

		r, err := Open(d.Options)
		require.NoError(t, err)
		d.Log = r
		require.Equal(t, want, d.texts())
		require.ErrorIs(t, <-d.append(t.Context(), "3"), fs.ErrPermission, "a log that is only read")
	})
}

// An append that no commit has taken up when the log is closed is refused.
func TestCloseRefusesWhatIsInTheQueue(t *testing.T) {
	l := open(t, newMemFS(), nil)
	late := &request{0, []Entry{{1, []byte("1")}}, make(chan error, 1)}
	l.queue = []*request{late}
	require.NoError(t, l.Close())
	require.Equal(t, fs.ErrClosed, <-late.done)
}

func TestConflictsAreJudgedInTheOrderOfTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newSlowDisk(t)
		first := d.append(t.Context(), "1")
		said := make(chan error, 5)
		for range 5 {
			go func() { said <- d.Append(t.Context(), 2, Entry{2, []byte("23")}) }()
		}
		synctest.Wait()
		d.letGo <- struct{}{}
		d.letGo <- struct{}{}
		require.NoError(t, <-first)
		conflicts := 0
		for range 5 {
			if err := <-said; err != nil {
				require.ErrorIs(t, err, ErrConflict)
				conflicts++
			}
		}
		require.Equal(t, 4, conflicts)
		require.Equal(t, "123", d.texts())
	})
}

// A conflict depends on the appends before it in the batch. If they fail, so does
// it, with their error.
func TestAConflictInABatchThatFails(t *testing.T) {
	m := newMemFS()
	fail := false
	l := open(t, m, func(o *Options) {
		o.FS = hookFS{m, func(op, name string) error {
			if fail && op == "write" {
				return pathError(op, name, fs.ErrInvalid)
			}
			return nil
		}}
	})
	for _, fail = range []bool{true, false} {
		one := &request{0, []Entry{{1, []byte("1")}}, make(chan error, 1)}
		again := &request{1, []Entry{{1, []byte("2")}}, make(chan error, 1)}
		l.queue = []*request{one, again}
		l.lead <- struct{}{}
		l.commit()
		<-l.lead
		if fail {
			require.ErrorIs(t, <-one.done, fs.ErrInvalid)
			require.ErrorIs(t, <-again.done, fs.ErrInvalid)
		} else {
			require.NoError(t, <-one.done)
			require.ErrorIs(t, <-again.done, ErrConflict)
		}
	}
}

func TestBrokenUntilOpenedAgain(t *testing.T) {
	m := newMemFS()
	m.put("/data/other", "")
	fail := ""
	syncs := 0
	_, o := optionsOf(hookFS{m, func(op, name string) error {
		if op == "sync" {
			syncs++
		}
		if op == fail {
			fail = "" // all else succeeds
			return pathError(op, name, errors.New("odd"))
		}
		return nil
	}}, "/data")
	for _, fail = range []string{"sync", "syncdir", "samefile"} {
		t.Run(fail, func(t *testing.T) {
			now := fail
			fail = ""
			l, err := Open(o)
			require.NoError(t, err)
			require.NoError(t, l.Recover())
			big := strings.Repeat("1", 300) // begins a segment each time
			require.NoError(t, l.Append(t.Context(), 0, Entry{1, []byte(big)}))
			fail = now
			err = l.Append(t.Context(), 0, Entry{1, []byte(big)})
			require.ErrorIs(t, err, ErrBroken)
			require.ErrorContains(t, err, "odd")
			fail, syncs = "", 0
			require.ErrorIs(t, l.Append(t.Context(), 0, Entry{1, []byte(big)}), ErrBroken)
			require.Zero(t, syncs, "nothing is tried any more")
			for _, err := range l.Read(t.Context(), 0) {
				require.NoError(t, err, "what is on disk can still be read")
			}
			require.NoError(t, l.Close())
		})
	}
}

func TestAnErrorNamesTheFailedWriteBeforeTheFailedUndo(t *testing.T) {
	m := newMemFS()
	m.put("/data/other", "")
	fails := false
	l := open(t, m, func(o *Options) {
		o.FS = hookFS{m, func(op, name string) error {
			if fails && (op == "write" || op == "truncate") {
				return errors.New("no " + op)
			}
			return nil
		}}
	})
	write(t, l, "1")
	fails = true
	err := l.Append(t.Context(), 0, Entry{1, []byte("2")})
	require.ErrorIs(t, err, ErrBroken)
	require.ErrorContains(t, err, "no write, and undoing what it left: no truncate")
}

func TestLinesSayWhatWasOnDiskBeforeThem(t *testing.T) {
	m := newMemFS()
	l := open(t, m, nil)
	write(t, l, "1")
	require.NoError(t, l.Append(t.Context(), 0, Entry{1, []byte("2")}, Entry{1, []byte("3")}))
	write(t, l, "4")
	require.NoError(t, l.Close())
	write(t, open(t, m, nil), "5")
	var durable []uint64
	for _, line := range strings.Split(m.files()[l.path(l.segments[0].name)], "\n") {
		if p, err := parseLine([]byte(line), "violation"); err == nil {
			durable = append(durable, p.durable)
		}
	}
	require.Equal(t, []uint64{0, 1, 1, 3, 4}, durable)
}

func TestAppendTakesOnlyLines(t *testing.T) {
	l := open(t, newMemFS(), nil)
	for _, e := range []Entry{{1, nil}, {0, []byte("1")}, {-1, []byte("1")}, {1, []byte("1\n2")}} {
		require.Error(t, l.Append(t.Context(), 0, Entry{1, []byte("1")}, e))
	}
	require.Empty(t, texts(t, l, 0))
}

func TestManyAppendAtOnce(t *testing.T) {
	l := open(t, newMemFS(), nil)
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 20 {
				if err := l.Append(t.Context(), 0, Entry{1, fmt.Appendf(nil, `"%d %d a"`, g, i)}, Entry{1, fmt.Appendf(nil, `"%d %d b"`, g, i)}); err != nil {
					t.Error(err)
				}
				for line, err := range l.Read(t.Context(), 0) {
					if err != nil || line.First == 0 {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	all := texts(t, l, 0)
	require.Len(t, all, 16*20*2)
	next := map[string]int{}
	for i := 0; i < len(all); i += 2 {
		a, b := strings.Fields(strings.Trim(all[i], `"`)), strings.Fields(strings.Trim(all[i+1], `"`))
		require.Equal(t, a[:2], b[:2], "a call's lines stay together")
		require.Equal(t, fmt.Sprint(next[a[0]]), a[1], "a goroutine's calls stay in order")
		next[a[0]]++
	}
}

func TestAnAppendMeetsAFileThatAnotherProgramHasChanged(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(m *memFS, f File, path string) error
	}{
		{"truncated to nothing", func(_ *memFS, f File, _ string) error { return f.Truncate(0) }},
		{"truncated by a byte", func(_ *memFS, f File, _ string) error {
			info, err := f.Stat()
			return errors.Join(err, f.Truncate(info.Size()-1))
		}},
		{"appended to", func(_ *memFS, f File, _ string) error {
			info, err := f.Stat()
			_, werr := f.WriteAt([]byte("x"), info.Size())
			return errors.Join(err, werr)
		}},
		{"deleted", func(m *memFS, _ File, path string) error { return m.Remove(path) }},
	} {
		for _, long := range []bool{false, true} { // a long line begins a new segment
			t.Run(fmt.Sprintf("%s/new segment=%v", c.name, long), func(t *testing.T) {
				m := newMemFS()
				l := open(t, m, nil)
				write(t, l, "1", "2")
				path := l.path(l.segments[0].name)
				f, err := m.OpenFile(path, writeOld, 0)
				require.NoError(t, err)
				require.NoError(t, c.change(m, f, path))
				before := m.files()
				text := "3"
				if long {
					text = `"` + strings.Repeat("x", 400) + `"`
				}
				for range 2 {
					err = l.Append(t.Context(), 0, Entry{1, []byte(text)})
					require.ErrorIs(t, err, ErrBroken)
					require.ErrorContains(t, err, path)
				}
				require.Equal(t, before, m.files(), "nothing is written")
			})
		}
	}
}

func TestAnAppendMeetsAFileThatIsChangedWhileItWrites(t *testing.T) {
	m := newMemFS()
	m.put("/data/other", "")
	var change func()
	l := open(t, m, func(o *Options) {
		o.FS = hookFS{m, func(op, name string) error {
			if op == "sync" && change != nil {
				change()
			}
			return nil
		}}
	})
	write(t, l, "1")
	path := l.path(l.segments[0].name)
	change = func() {
		f, err := m.OpenFile(path, writeOld, 0)
		require.NoError(t, err)
		require.NoError(t, f.Truncate(0))
	}
	require.ErrorIs(t, l.Append(t.Context(), 0, Entry{1, []byte("2")}), ErrBroken)
}
