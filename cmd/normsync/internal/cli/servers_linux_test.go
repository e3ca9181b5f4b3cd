package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

// startNATS starts a NATS server, and returns the location of a store on it.
func startNATS(t *testing.T) string {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(),
		Username: "game", Password: "secret", NoSigs: true})
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	require.True(t, s.ReadyForConnections(time.Minute))
	return "nats://game:secret@" + s.Addr().String() + "/WORLD"
}

// startPostgres starts a PostgreSQL server, and returns the location of a store on it.
func startPostgres(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	require.NoError(t, err)
	if len(found) == 0 {
		if os.Getenv("CI") == "" {
			t.Skip("PostgreSQL is not installed; on Debian, apt-get install postgresql")
		}
		require.Fail(t, "PostgreSQL is not installed")
	}
	bin := filepath.Dir(found[len(found)-1])
	dir, err := os.MkdirTemp("/tmp", "pg") // the path of a socket must be short
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	user := new(syscall.SysProcAttr)
	if os.Geteuid() == 0 { // as which PostgreSQL does not run
		const nobody = 65534
		require.NoError(t, os.Chown(dir, nobody, nobody))
		user.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	execute := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(filepath.Join(bin, name), append([]string{"-D", filepath.Join(dir, "data")}, args...)...)
		cmd.Dir, cmd.SysProcAttr, cmd.Env = dir, user, append(os.Environ(), "LC_ALL=C")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
	}
	execute("initdb", "-U", "game", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	execute("pg_ctl", "-w", "-l", filepath.Join(dir, "log"), "-o", "-k "+dir+" -c listen_addresses=''", "start")
	t.Cleanup(func() { execute("pg_ctl", "-m", "immediate", "stop") })
	return "postgres://game:secret@/postgres?host=" + dir
}

func TestStoresOnServers(t *testing.T) {
	for name, startServer := range map[string]func(*testing.T) string{"NATS": startNATS, "PostgreSQL": startPostgres} {
		t.Run(name, func(t *testing.T) {
			location := startServer(t)
			inEmptyFolder(t)
			t.Setenv("NORMSYNC_STORE", location)
			for range 2 { // the first reader does not create the store, so the second finds none either
				for _, reader := range []string{"status", "check hero attack", "check hero attack --dry-run", "violations --follow", "repeal peace"} {
					r := run(t, "", strings.Fields(reader)...)
					require.Equal(t, 2, r.code, reader)
					require.Contains(t, r.stderr, "no store", reader)
					require.Contains(t, r.stderr, "create it by normsync add or normsync import", reader)
					require.NotContains(t, r.stderr, "secret")
				}
			}
			ok(t, "add", "peace", "", "safe_zone", "attack")
			follow := start(t, nil, "violations", "--follow")
			require.Equal(t, 1, run(t, "", "check", "hero", "attack", "safe_zone").code)
			follow.await("Agent 'hero' performed 'attack' in 'safe_zone'")
			require.Equal(t, 0, follow.stop(), &follow.stderr)
			log := strings.Repeat(`{"agent_id": "thief", "action": "attack", "location": "safe_zone"}`+"\n", 100)
			require.Equal(t, 1, run(t, log, "check", "--actions", "-").code)
			require.Contains(t, ok(t, "status"), "Norms: 1\nViolations: 101\nRevisions: 1\n")
			require.NotContains(t, ok(t, "status"), "secret")
			require.Contains(t, ok(t, "violations", "--agent", "thief", "--limit", "3"), "Violations (3)\n")

			require.Equal(t, "Copied 1 revision(s) and 101 violation(s).\n", ok(t, "copy", location, "file:world"))
			require.Contains(t, ok(t, "status", "--store", "file:world"), "Violations: 101\n")
		})
	}
}
