package service_test

import (
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

func TestOpenStoreFindsWhatItCreated(t *testing.T) {
	for _, location := range []string{"sqlite:world.db", "a folder/in a folder/world.db", "file:world"} {
		t.Run(location, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for _, mode := range []service.Mode{service.Read, service.Write} {
				_, err := service.OpenStore(t.Context(), location, mode)
				require.ErrorIs(t, err, fs.ErrNotExist)
				require.ErrorContains(t, err, "create it by normsync add or normsync import")
				files, err := os.ReadDir(".")
				require.NoError(t, err)
				require.Empty(t, files)
			}
			s, err := service.Open(t.Context(), location, service.Create)
			require.NoError(t, err)
			_, err = s.Monitor().Apply(t.Context(), normsync.Enact(normsync.Norm{Name: "peace", Prohibited: "attack"}))
			require.NoError(t, err)
			require.NoError(t, s.Close(t.Context()))
			for _, mode := range []service.Mode{service.Read, service.Write, service.Create} {
				s, err := service.Open(t.Context(), location, mode)
				require.NoError(t, err)
				require.Equal(t, 1, s.Monitor().Constitution().Len())
				require.Equal(t, mode == service.Read, s.ReadOnly())
				_, err = s.Monitor().Apply(t.Context(), normsync.Enact(normsync.Norm{Name: "noise", Prohibited: "shout"}))
				if mode == service.Read {
					require.Error(t, err, "a store that is open for reading cannot be changed")
				} else {
					require.NoError(t, err)
					_, err = s.Monitor().Apply(t.Context(), normsync.Repeal("noise"))
					require.NoError(t, err)
				}
				require.NoError(t, s.Close(t.Context()))
			}
		})
	}
}

// A location that is written like that of another program is not taken for an odd path.
func TestOpenStoreRefusesOddLocations(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("world.db", nil, 0o600))
	for location, want := range map[string]string{
		"sqlite://world.db": "write sqlite:world.db, or three slashes before a full path",
		"file://world":      "write file:world, or three slashes before a full path",
		"file:world.db":     "it is a file; name a directory, or use sqlite:world.db for an SQLite file",
	} {
		for _, mode := range []service.Mode{service.Read, service.Write, service.Create} {
			_, err := service.OpenStore(t.Context(), location, mode)
			require.ErrorContains(t, err, want)
		}
	}
	s, err := service.OpenStore(t.Context(), "file://"+t.TempDir(), service.Create)
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// Errors about servers do not show passwords.
func TestErrorsOfServersShowNoPassword(t *testing.T) {
	for _, location := range []string{
		"postgres://game:secret@127.0.0.1:1/world", "nats://game:secret@127.0.0.1:1/WORLD", "nats://game:secret@127.0.0.1:1",
		"nats://game:secret@127.0.0.1:1,nats://game:secret@127.0.0.1:2/WORLD", "redis://game:secret@127.0.0.1", "postgres://game:secret@127.0.0.1:port/x",
	} {
		for _, mode := range []service.Mode{service.Read, service.Write, service.Create} {
			_, err := service.OpenStore(t.Context(), location, mode)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "secret", location)
			require.Contains(t, err.Error(), "normsync: open store")
		}
	}
}

func TestRedact(t *testing.T) {
	for location, want := range map[string]string{
		"sqlite:a:b@c.db":                     "sqlite:a:b@c.db",
		"C:/world.db":                         "C:/world.db",
		"postgres://game@host/world":          "postgres://game@host/world",
		"postgres://game:p@w,d@host/w":        "postgres://game:xxxxx@host/w",
		"postgres://host/w?password=pw&a=b":   "postgres://host/w?password=xxxxx&a=b",
		"nats://u:pw@a,nats://v:p@b/w":        "nats://u:xxxxx@a,nats://v:xxxxx@b/w",
		"nats://u:pw@a:1,v:pw@b:2/w":          "nats://u:xxxxx@a:1,v:xxxxx@b:2/w",
		"nats://a:4222,b:4222/WORLD":          "nats://a:4222,b:4222/WORLD",
		"postgres://game:p%zzw@host:port/?a=": "postgres://game:xxxxx@host:port/?a=",
	} {
		require.Equal(t, want, service.Redact(location))
	}
}

func TestSameStoreOfServers(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"postgres://host/world", "postgresql://ann:secret@host/world", true},
		{"nats://host:4222/world", "nats://host:4222/world", true},
		{"postgres://host/world", "postgres://host/other", false},
		{"postgres://host/world", "postgres://host/world?search_path=a", false},
		{"postgres://host/world", "nats://host/world", false},
		{"postgres://host/world", "world.db", false},
	} {
		require.Equal(t, c.same, service.SameStore(c.a, c.b), "%s %s", c.a, c.b)
		require.Equal(t, c.same, service.SameStore(c.b, c.a), "%s %s", c.b, c.a)
	}
}
