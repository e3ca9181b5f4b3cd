package sqlite_test

import (
	"database/sql"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/sqlstore/sqlite"
)

// pythonSchema creates the tables as version 0.1.4 does.
const pythonSchema = `
CREATE TABLE norms (id TEXT PRIMARY KEY, name TEXT, description TEXT, condition TEXT, prohibited TEXT, scope TEXT DEFAULT 'global', active INTEGER DEFAULT 1, priority INTEGER DEFAULT 0);
CREATE TABLE violations (id TEXT PRIMARY KEY, norm_id TEXT, norm_name TEXT, action_id TEXT, agent_id TEXT, description TEXT, severity TEXT DEFAULT 'warn', timestamp REAL);
CREATE TABLE revisions (id TEXT PRIMARY KEY, norm_id TEXT, revision_type TEXT, reason TEXT, timestamp REAL);`

func pythonDB(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "norms.db")
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	for _, statement := range append([]string{pythonSchema}, statements...) {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	return path
}

func TestImportPython(t *testing.T) {
	path := pythonDB(t,
		`INSERT INTO norms VALUES
			('4b0c14ec81b2f3a5', 'peace', 'No fighting in town.', 'town', 'attack', 'global', 1, 0),
			('2', 'curfew', '', 'night', 'walk', 'north', 0, 7),
			('3', 'peace', '', 'temple', 'attack', 'global', 1, 0),
			('4', 'empty', '', 'town', '', 'global', 1, 0),
			('5', 'code', '', 'location == town', 'attack', 'global', 1, 0),
			('6', 'curfew', NULL, 'night', 'run', NULL, 1, -1)`,
		`INSERT INTO violations VALUES
			('b', '0123456789abcdef', 'peace', 'x', 'hero', 'Agent ''hero'' performed ''attack boss'' in ''town'', violating norm ''peace''', 'error', 1700000001.25),
			('a', 'none', 'peace', 'x', 'o''neil', 'Agent ''o''neil'' performed ''attack'' in '''', violating norm ''peace''', 'warn', 1700000000.123457),
			('c', '', 'peace', 'x', 'hero', 'Agent ''hero'' performed ''sit'' in ''inn'' in ''town'', violating norm ''peace''', 'warn', 1700000002),
			('d', '', 'peace', 'x', 'hero', NULL, NULL, NULL)`)
	before, err := os.ReadFile(path)
	require.NoError(t, err)

	d, err := sqlite.ImportPython(t.Context(), path)
	require.NoError(t, err)
	require.Equal(t, []normsync.Norm{
		{Name: "peace", Description: "No fighting in town.", Condition: "town", Prohibited: "attack"},
		{Name: "curfew", Condition: "night", Prohibited: "walk", Scope: "north", Priority: 7, Repealed: true},
		{Name: "curfew", Condition: "night", Prohibited: "run", Priority: -1},
	}, d.Norms)
	require.Len(t, d.Refused, 3)
	require.Equal(t, "temple", d.Refused[0].Norm.Condition)
	require.ErrorIs(t, d.Refused[0].Err, normsync.ErrExists)
	require.ErrorContains(t, d.Refused[0].Err, `another norm named "peace" forbids "attack" if "town"; give one of them another name`)
	require.Equal(t, "empty", d.Refused[1].Norm.Name)
	require.ErrorIs(t, d.Refused[1].Err, normsync.ErrInvalid)
	require.Equal(t, "code", d.Refused[2].Norm.Name)
	require.ErrorIs(t, d.Refused[2].Err, normsync.ErrInvalid)

	violation := func(agent, verb, location string, at time.Time) normsync.Violation {
		return normsync.Violation{NormName: "peace", Severity: normsync.SeverityWarn, Action: normsync.Action{Agent: agent, Verb: verb, Location: location, Time: at}}
	}
	full := violation("hero", "attack boss", "town", time.Unix(1700000001, 250e6).UTC())
	full.NormID, full.Severity = normsync.ID{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}, normsync.SeverityError
	require.Equal(t, []normsync.Violation{
		violation("hero", "", "", time.Time{}),
		violation("o'neil", "attack", "", time.Unix(1700000000, 123457000).UTC()),
		full,
		violation("hero", "", "", time.Unix(1700000002, 0).UTC()), // which "in" is it?
	}, d.Violations)

	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after, "the file stays as it is")
}

// SQLite takes any value in any column. The row of one that cannot be read is named.
func TestImportPythonNamesTheRowOfABadValue(t *testing.T) {
	path := pythonDB(t, `INSERT INTO norms VALUES
		('1', 'good', '', 'a', 'b', 'global', '1', '5'),
		('2', 'urgent', '', 'a', 'c', 'global', 1, 'high'),
		('3', 'half', '', 'a', 'd', 'global', 1, 0.5),
		('4', 'huge', '', 'a', 'e', 'global', 1, 1e30),
		('5', 'maybe', '', 'a', 'f', 'global', 'perhaps', 0),
		('6', 'blob', '', 'a', 'g', 'global', 1, x'ff'),
		('7', '', '', 'a', 'h', 'global', 1, 0),
		('8', 'far', '', 'a', 'i', 'global', 1, 4294967296),
		('9', 'real', '', 'a', 'j', 'global', 1.0, 7.0)`)
	d, err := sqlite.ImportPython(t.Context(), path)
	require.NoError(t, err)
	require.Equal(t, []normsync.Norm{{Name: "good", Condition: "a", Prohibited: "b", Priority: 5}, {Name: "real", Condition: "a", Prohibited: "j", Priority: 7}}, d.Norms)
	var refused []string
	for _, r := range d.Refused {
		require.ErrorIs(t, r.Err, normsync.ErrInvalid)
		refused = append(refused, r.Err.Error())
	}
	require.Equal(t, []string{
		`normsync: invalid norm "urgent": priority: "high" is not a whole number; correct it in the file (row 2 of the table norms)`,
		`normsync: invalid norm "half": priority: "0.5" is not a whole number; correct it in the file (row 3 of the table norms)`,
		`normsync: invalid norm "huge": priority: "1e+30" is not a whole number; correct it in the file (row 4 of the table norms)`,
		`normsync: invalid norm "maybe": active: "perhaps" is neither 1 nor 0; correct it in the file (row 5 of the table norms)`,
		`normsync: invalid norm "blob": priority: "\xff" is not a whole number; correct it in the file (row 6 of the table norms)`,
	}, refused[:5])
	require.Contains(t, refused[5], "(row 7 of the table norms)")
	require.Contains(t, refused[6], "(row 8 of the table norms)")
	require.Len(t, refused, 7)

	path = pythonDB(t, `INSERT INTO violations VALUES
		('a', '', 'peace', 'x', 'hero', '', 'warn', '1700000000.5'), ('b', '', 'peace', 'x', 'hero', '', 'warn', 'noon')`)
	_, err = sqlite.ImportPython(t.Context(), path)
	require.ErrorContains(t, err, `table violations: row 2, of norm "peace" and agent "hero": timestamp: "noon" is not a number of seconds; correct it in the file`)
	require.NotContains(t, err.Error(), "check that the file is a database")
}

func TestImportPythonSaysWhatIsWrong(t *testing.T) {
	_, err := sqlite.ImportPython(t.Context(), filepath.Join(t.TempDir(), "norms.db"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	path := filepath.Join(t.TempDir(), "other.db")
	s, err := sqlite.Open(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = sqlite.ImportPython(t.Context(), path)
	require.ErrorContains(t, err, "table norms: ")
	require.ErrorContains(t, err, "check that the file is a database of the Python tool")
}

// A store and the Python tool's tables can share a file, since the names of the
// store's tables have a prefix.
func TestStoreInTheFileOfThePythonTool(t *testing.T) {
	path := pythonDB(t, `INSERT INTO norms (id, name, condition, prohibited) VALUES ('1', 'peace', 'town', 'attack')`)
	s, err := sqlite.Open(t.Context(), path)
	require.NoError(t, err)
	m, err := normsync.Open(t.Context(), s, nil)
	require.NoError(t, err)
	d, err := sqlite.ImportPython(t.Context(), path)
	require.NoError(t, err)
	_, err = m.Apply(t.Context(), normsync.Enact(d.Norms[0]))
	require.NoError(t, err)
	require.NoError(t, s.Close())
}
