package sqlstore_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/sqlstore/internal/pgserver"
)

// mount mounts a small file system, which needs root.
func mount(t *testing.T, path, size string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, "size="+size); err != nil {
		t.Skip("no mounts here:", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(path, syscall.MNT_DETACH)) })
}

func TestDiskFull(t *testing.T) {
	test := func(t *testing.T, place, ballast string) {
		s := mustOpen(t, place)
		m, err := normsync.Open(t.Context(), s, nil)
		require.NoError(t, err)
		_, err = m.Apply(t.Context(), enact("first", ""))
		require.NoError(t, err)

		r := normsync.NewRecorder(s, nil)
		var full error
		for i := 0; full == nil; i++ {
			v := violation(i)
			v.Action.Target = strings.Repeat("x", 1000)
			r.Record(v, v, v)
			full = r.Flush(t.Context())
		}
		require.ErrorIs(t, full, syscall.ENOSPC)
		require.ErrorContains(t, full, "make room")
		big := enact("second", "")
		big.Reason = strings.Repeat("x", 1<<20)
		_, err = m.Apply(t.Context(), big)
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.Equal(t, uint64(1), m.Constitution().Edition())

		require.NoError(t, os.Remove(ballast))
		r.Record(violation(0))
		require.NoError(t, r.Close(t.Context()))
		_, err = m.Apply(t.Context(), enact("third", ""))
		require.NoError(t, err)
		stats := r.Stats()
		require.Equal(t, stats.Recorded, stats.Stored+stats.Failed)
		require.Equal(t, uint64(3), stats.Failed)
		vs := all(t, s.Violations(t.Context(), 0))
		require.Len(t, vs, int(stats.Stored))
		require.Equal(t, stats.Stored, vs[len(vs)-1].Number)
	}
	fill := func(t *testing.T, path string, size int) string {
		ballast := filepath.Join(path, "ballast")
		require.NoError(t, os.WriteFile(ballast, make([]byte, size), 0o600))
		return ballast
	}
	t.Run("SQLite", func(t *testing.T) {
		dir := t.TempDir()
		mount(t, dir, "1m")
		test(t, "sqlite "+filepath.Join(dir, "world.db"), fill(t, dir, 600<<10))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		server := postgresServer(t, pgserver.Start)
		t.Cleanup(func() { require.NoError(t, server.Remove()) })
		dir := filepath.Join(server.Dir(), "small")
		require.NoError(t, os.Mkdir(dir, 0o700))
		mount(t, dir, "2m")
		t.Cleanup(func() { require.NoError(t, server.Stop()) }) // before the file system goes
		data := filepath.Join(dir, "data")
		require.NoError(t, os.Mkdir(data, 0o700))
		for _, path := range []string{dir, data} {
			require.NoError(t, server.Own(path))
		}
		db := openDB(t, "postgres "+server.DSN("postgres"))
		_, err := db.ExecContext(t.Context(), "CREATE TABLESPACE small LOCATION '"+data+"'")
		require.NoError(t, err)
		place := "postgres " + newSchema(t, server) + " default_tablespace=small"
		require.NoError(t, mustOpen(t, place).Close())
		test(t, place, fill(t, dir, 1400<<10))
	})
}

func TestSQLitePermissions(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can play another user")
	}
	// A folder that everybody can read, with a program that everybody can run.
	dir, err := os.MkdirTemp("", "normsync-sqlite-")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	require.NoError(t, os.Chmod(dir, 0o755))
	exe, err := os.Executable()
	require.NoError(t, err)
	copyFile(t, exe, filepath.Join(dir, "program"), 0o755)
	path := filepath.Join(dir, "world.db")
	s := mustOpen(t, "sqlite "+path)
	require.NoError(t, s.AppendViolations(t.Context(), violation(0)))
	require.NoError(t, s.Close())
	try := func(path string) string {
		cmd := roleCommand(t, "try", "sqlite "+path)
		cmd.Path = filepath.Join(dir, "program")
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.Output()
		require.NoError(t, err)
		return string(out)
	}

	out := try(path)
	require.Contains(t, out, "open: normsync: open store: ")
	require.Contains(t, out, "check that the path is that of a file, in a folder that exists, and that both are writable", "a file that cannot be read")

	out = try(filepath.Join(dir, "new.db"))
	require.Contains(t, out, "open: normsync: open store: ")
	require.Contains(t, out, "permission denied", "a folder that cannot be written")

	require.NoError(t, os.Chmod(path, 0o644))
	out = try(path)
	require.Contains(t, out, "writable", "a file in a folder that cannot be written")

	require.NoError(t, os.Chmod(dir, 0o777))
	out = try(path)
	require.Contains(t, out, "read: <nil>\n", "a file that can only be read")
	require.Contains(t, out, "append: normsync: append violations: ")
	require.Contains(t, out, "make the file and its folder writable")
}

func copyFile(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	src, err := os.Open(from)
	require.NoError(t, err)
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE, mode)
	require.NoError(t, err)
	_, err = io.Copy(dst, src)
	require.NoError(t, err)
	require.NoError(t, dst.Close())
}
