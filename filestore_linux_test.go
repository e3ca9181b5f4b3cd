package normsync_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

const fullDir = "NORMSYNC_TEST_FULL_DIR"

// TestFileStoreDiskFull runs itself in a process that may mount a small file
// system of its own.
func TestFileStoreDiskFull(t *testing.T) {
	if dir := os.Getenv(fullDir); dir != "" {
		fillDisk(t, dir)
		return
	}
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestFileStoreDiskFull$", "-test.v")
	cmd.Env = append(os.Environ(), fullDir+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Skip("no namespaces here:", err)
	}
	err = cmd.Wait()
	if strings.Contains(out.String(), "--- SKIP") {
		t.Skip(out.String())
	}
	require.NoError(t, err, out.String())
	require.Contains(t, out.String(), "--- PASS")
}

func fillDisk(t *testing.T, mount string) {
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=256k"); err != nil {
		t.Skip("no mounts here:", err)
	}
	ballast := filepath.Join(mount, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 64<<10), 0o600))
	dir := filepath.Join(mount, "store")
	o := &normsync.FileOptions{SegmentBytes: 40000}
	s := openFileStore(t, dir, o)
	n := 0
	fill := func() {
		for {
			v := fileViolation(n)
			v.Action.Target = strings.Repeat("x", n%3000)
			if err := s.AppendViolations(t.Context(), v); err != nil {
				require.ErrorIs(t, err, syscall.ENOSPC)
				return
			}
			n++
			require.Less(t, n, 1000)
		}
	}
	check := func() {
		t.Helper()
		for i, v := range all(t, consecutive(s.Violations(t.Context(), 0))) {
			require.Equal(t, uint64(i), v.Edition)
			require.Less(t, i, n)
		}
		require.Len(t, all(t, consecutive(s.Violations(t.Context(), 0))), n)
	}
	fill()
	fill() // says so as often as it is asked
	check()
	huge := fileRevision(1)
	huge.Reason = strings.Repeat("x", 256<<10)
	require.ErrorIs(t, s.AppendRevisions(t.Context(), huge), syscall.ENOSPC)
	require.Empty(t, all(t, s.Revisions(t.Context(), 0)))
	require.NoError(t, s.Close())

	s = openFileStore(t, dir, o)
	check()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		require.NotContains(t, e.Name(), "torn", "nothing half is left")
	}
	require.NoError(t, os.Remove(ballast))
	before := n
	fill()
	require.Greater(t, n, before, "there is room again")
	check()
	require.NoError(t, s.Close())

	// A crash leaves half a line while not a byte is free: in the last block of
	// a file there is room for it.
	require.NoError(t, os.WriteFile(ballast, nil, 0o600))
	f, err := os.OpenFile(ballast, os.O_WRONLY, 0)
	require.NoError(t, err)
	for off := int64(0); err == nil; off += 512 {
		_, err = f.WriteAt(make([]byte, 512), off)
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, f.Close())
	segments, err := filepath.Glob(filepath.Join(dir, "violations-*.jsonl"))
	require.NoError(t, err)
	torn := segments[len(segments)-1]
	tear := func() {
		f, err := os.OpenFile(torn, os.O_WRONLY|os.O_APPEND, 0)
		require.NoError(t, err)
		_, err = f.WriteString("{")
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	tear()
	s = openFileStore(t, dir, o)
	check()
	tails := s.TornTails()
	require.Len(t, tails, 1)
	require.ErrorIs(t, tails[0].Err, syscall.ENOSPC)
	require.Equal(t, normsync.TornTail{Path: torn, Offset: tails[0].Offset, Size: 1, Err: tails[0].Err}, tails[0])
	require.NoError(t, s.Close())

	tear()
	s = openFileStore(t, dir, &normsync.FileOptions{SegmentBytes: o.SegmentBytes, MaxBytes: 100_000})
	require.Equal(t, []normsync.TornTail{{Path: torn, Offset: tails[0].Offset, Size: 1, Kept: torn + ".torn"}}, s.TornTails(), "the oldest segments make room")
	left := all(t, consecutive(s.Violations(t.Context(), 0)))
	require.Less(t, len(left), n)
	require.Equal(t, uint64(n-1), left[len(left)-1].Edition)
	require.NoError(t, s.Close())
}

// A program may open a store, or try to, again and again.
func TestFileStoreLeavesNoFileOpen(t *testing.T) {
	sound, locked, damaged := t.TempDir(), t.TempDir(), t.TempDir()
	openFileStore(t, locked, nil)
	require.NoError(t, os.WriteFile(filepath.Join(damaged, "revisions.jsonl"), []byte(`{"v":9,"n":1}`+"\n"), 0o600))
	for _, dir := range []string{sound, locked, damaged} {
		before, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		for range 50 {
			s, err := normsync.OpenFile(dir, nil)
			require.Equal(t, dir == locked, errors.Is(err, normsync.ErrLocked), "%v", err)
			require.Equal(t, dir == damaged, errors.As(err, new(*normsync.CorruptError)), "%v", err)
			if dir == sound {
				require.NoError(t, s.Close())
			}
		}
		after, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		require.Less(t, len(after), len(before)+10)
	}
}
