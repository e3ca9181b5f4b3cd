//go:build unix

package normsync_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

func TestFileStorePermissions(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o022))
	dir := filepath.Join(t.TempDir(), "store")
	require.NoError(t, openFileStore(t, dir, nil).Close())
	for _, name := range []string{"revisions.jsonl", "violations-00000000000000000001.jsonl"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("torn"), 0))
	}
	require.NoError(t, openFileStore(t, dir, nil).Close())
	for name, want := range map[string]fs.FileMode{
		".": 0o755, "revisions.jsonl": 0o644, "violations-00000000000000000001.jsonl": 0o600,
		"revisions.jsonl.torn": 0o644, "seal.json": 0o644, "violations-00000000000000000001.jsonl.torn": 0o600,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, want, info.Mode().Perm(), name)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 5, "nothing else is left behind")
}

// A process that is being started has the descriptors of its parent for a
// moment, and with them a lock that is only closed.
func TestFileStoreCloseUnlocksWhileProcessesAreStarted(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					exec.Command(exe, "-test.run=^$").Run()
				}
			}
		})
	}
	dir := t.TempDir()
	for i := range 100 {
		s, err := normsync.OpenFile(dir, nil)
		require.NoError(t, err, "number %d", i)
		require.NoError(t, s.Close())
	}
}
