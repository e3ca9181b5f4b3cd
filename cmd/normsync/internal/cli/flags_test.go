package cli_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An empty AGENT comes from a variable that is not set. Nobody could say later whose
// violations those are.
func TestAnAgentWithoutANameIsRefused(t *testing.T) {
	inEmptyFolder(t)
	ok(t, "add", "peace", "", "", "attack")
	for _, agent := range []string{"", " \t", "\u200b"} {
		for _, command := range []string{"check", "explain"} {
			r := run(t, "", command, agent, "attack")
			require.Equal(t, 2, r.code, "%s %q", command, agent)
			require.Empty(t, r.stdout)
			require.Equal(t, "normsync: "+command+": AGENT is empty; name the agent that acts, such as hero\nRun 'normsync "+command+" --help' for usage.\n", r.stderr)
		}
	}
	r := run(t, "", "compliance", "")
	require.Equal(t, 2, r.code, r.stdout)
	require.Contains(t, r.stderr, "normsync: compliance: AGENT is empty; name an agent, or leave it out for all agents\n")
	require.Contains(t, ok(t, "status"), "Violations: 0\n")
	r = run(t, `{"action": "attack"}`, "check", "--actions", "-")
	require.Equal(t, 1, r.code, "a log may have actions of nobody: %s", r.stderr)
}

// Two texts in Latin-1 could count as one, since bytes that are not UTF-8 are all alike.
func TestTextsThatAreNotUTF8AreRefused(t *testing.T) {
	inEmptyFolder(t)
	ok(t, "add", "peace", "", "", "attack")
	for name, args := range map[string][]string{
		"AGENT":     {"h\xe9ro", "attack"},
		"ACTION":    {"hero", "att\xe4ck"},
		"LOCATION":  {"hero", "attack", "caf\xe9"},
		"--target":  {"hero", "attack", "--target", "\xed\xa0\x80"},
		"--faction": {"hero", "attack", "--faction", "\xff"},
		"--facts":   {"hero", "attack", "--facts", "night\xff"},
	} {
		for _, command := range []string{"check", "explain"} {
			r := run(t, "", append([]string{command}, args...)...)
			require.Equal(t, 2, r.code, "%s %q", command, args)
			require.Empty(t, r.stdout)
			require.Contains(t, r.stderr, "normsync: "+command+": "+name+` is not valid UTF-8, but "`)
			require.Contains(t, r.stderr, "; set the terminal, or the program that runs normsync, to UTF-8\n")
		}
	}
	require.Equal(t, 2, run(t, "", "add", "caf\xe9", "", "", "attack").code)
	require.Contains(t, ok(t, "status"), "Norms: 1\nViolations: 0\n")
	require.Equal(t, 1, run(t, "", "check", "h\u00e9ro", "attack", "caf\u00e9").code)
}

// A flag without a value, or with an empty one from a variable that is not set,
// must not make the program do something else.
func TestFlagsThatSayNothingAreRefused(t *testing.T) {
	inEmptyFolder(t)
	t.Setenv("NORMSYNC_TOKEN", "")
	ok(t, "add", "peace", "", "", "attack")
	require.NoError(t, os.WriteFile("rules.json", []byte("[]"), 0o600))
	for command, want := range map[string]string{
		"--json":                                 "a command is missing; write it before or behind the flags",
		"--db status":                            `(--db has taken "status" as its value)`,
		"status --db=":                           "status: --db is empty; give it a value, or leave it out",
		"status --store=":                        "status: --store is empty",
		"check hero attack --actions=":           "check: --actions is empty",
		"lint rules.json --actions=":             "lint: --actions is empty",
		"violations --agent=":                    "violations: --agent is empty",
		"violations --norm=":                     "violations: --norm is empty",
		"violations --since=":                    "violations: --since is empty",
		"revisions --norm=":                      "revisions: --norm is empty",
		"serve --token=":                         "serve: --token is empty",
		"serve --token-file=":                    "serve: --token-file is empty",
		"completion":                             "completion: SHELL is missing; the shells are bash, fish, powershell, zsh",
		"check hero attack --summary":            "check: --summary needs --actions",
		"violations --json --format markdown":    "violations: --json and --format markdown both name a form; leave one of them out",
		"lint rules.json --json --format github": "lint: --json and --format github both name a form",
		"violations --since 2026-07-02 --until 2026-07-02": "violations: --since 2026-07-02T00:00:00Z is not before --until 2026-07-02T00:00:00Z",
	} {
		r := run(t, "", strings.Fields(command)...)
		require.Equal(t, 2, r.code, "%s: %s", command, r.stdout)
		require.Empty(t, r.stdout, command)
		require.Contains(t, r.stderr, want, command)
	}
	ok(t, "amend", "peace", "--until=", "--advice=") // clears the fields
	ok(t, "violations", "--json", "--format", "json")
	ok(t, "lint", "rules.json", "--json=false", "--format", "markdown")
}

func TestTokensThatNoRequestCanSendAreRefused(t *testing.T) {
	inEmptyFolder(t)
	for text, want := range map[string]string{
		"":                        "token.txt is empty; write the token into it",
		"one\ntwo\n":              `token.txt: byte 3 is '\n'; use a token on one line, of ASCII letters, digits and signs`,
		"\xff\xfe":                `token.txt: byte 0 is 'ÿ'; use a token on one line`,
		strings.Repeat("a", 5000): "token.txt has more than 4096 bytes; use a shorter token",
	} {
		require.NoError(t, os.WriteFile("token.txt", []byte(text), 0o600))
		r := run(t, "", "serve", "--token-file", "token.txt", "--addr", "127.0.0.1:99999")
		require.Equal(t, 2, r.code)
		require.Contains(t, r.stderr, want)
	}
	t.Setenv("NORMSYNC_TOKEN", "a\tb")
	require.Contains(t, run(t, "", "serve", "--addr", "127.0.0.1:99999").stderr, `$NORMSYNC_TOKEN: byte 1 is '\t'`)
	require.NoError(t, os.WriteFile("token.txt", []byte(strings.Repeat("a", 4096)+"\r\n"), 0o600))
	t.Setenv("NORMSYNC_TOKEN", "")
	require.Contains(t, run(t, "", "serve", "--token-file", "token.txt", "--addr", "127.0.0.1:99999").stderr, "invalid port", "the token is fine")
}
