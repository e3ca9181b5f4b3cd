// Package cli is the command line of normsync.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit codes of the program.
const (
	exitFine  = 0
	exitFound = 1 // a finding: an action is denied, a norm is violated, a conflict is found
	exitError = 2 // wrong use, or an error
)

// errFound is the error of a command that has found something, and has said so. It
// makes the exit code 1.
var errFound = errors.New("normsync: found something")

// usageError is the error of a command that is used in a wrong way.
type usageError struct{ text string }

func (e *usageError) Error() string { return "normsync: " + e.text }

func usageErrorf(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// Main runs the command that args name, without the name of the program, and returns
// the exit code.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := newRootCommand(a, args)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = a.helpErr
	}
	switch {
	case err == nil:
		return exitFine
	case errors.Is(err, errFound):
		return exitFound
	}
	if isClosedOutput(err) {
		return exitError // without a message: the reader of the output, such as head, has ended
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		fmt.Fprintln(stderr, "normsync: interrupted")
		return exitError
	}
	fmt.Fprintln(stderr, errorText(err))
	if usage := (*usageError)(nil); errors.As(err, &usage) {
		fmt.Fprintf(stderr, "Run '%s --help' for usage.\n", command.CommandPath())
	}
	return exitError
}

// isClosedOutput reports whether an error is that nobody reads the standard output any
// more, and nothing else.
func isClosedOutput(err error) bool {
	var failed *fs.PathError
	return errors.As(err, &failed) && errors.Is(failed, syscall.EPIPE) && failed.Path == os.Stdout.Name() && err.Error() == failed.Error()
}

// errorText returns the text of an error, safe for a terminal, with "normsync: " in
// front of its first line.
func errorText(err error) string {
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		lines[i] = plain(strings.ReplaceAll(line, "\t", "  "))
	}
	text := strings.Join(lines, "\n")
	if !strings.HasPrefix(text, "normsync: ") {
		text = "normsync: " + text
	}
	return text
}

// group is a number of commands under one heading in the help text.
type group struct {
	title    string
	column   int // of the help text: 0 or 1
	commands []*cobra.Command
}

// commandGroups returns all commands, by name within a group. To add a command, add a
// line here. Its Short has at most 23 characters, so that the help text fits on a
// screen; its Long has room for more.
func commandGroups(a *app) []group {
	return []group{
		{"Norms", 0, []*cobra.Command{
			newAddCommand(a),
			newAmendCommand(a),
			newConflictsCommand(a),
			newNormsCommand(a),
			newRepealCommand(a),
			newShowCommand(a),
		}},
		{"Actions", 1, []*cobra.Command{
			newCheckCommand(a),
			newComplianceCommand(a),
			newCoverCommand(a),
			newExplainCommand(a),
		}},
		{"Records", 1, []*cobra.Command{
			newAtCommand(a),
			newDiffCommand(a),
			newRevisionsCommand(a),
			newStatusCommand(a),
			newViolationsCommand(a),
		}},
		{"Rule files", 0, []*cobra.Command{
			newExportCommand(a),
			newImportCommand(a),
			newLintCommand(a),
			newTestCommand(a),
		}},
		{"Servers", 0, []*cobra.Command{
			newDemoCommand(a),
			newMCPCommand(a),
			newPageCommand(a),
			newServeCommand(a),
		}},
		{"More", 1, []*cobra.Command{
			newCopyCommand(a),
			newHelpCommand(),
			newImportPythonCommand(a),
			newVersionCommand(a),
		}},
	}
}

func newRootCommand(a *app, args []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "normsync",
		Short: "Keep a world's rules and check actions against them",
		Long: `normsync keeps the rules of a world outside its agents' code and checks actions
against them. Rules and violations are in a store, which is an SQLite file
unless --store names another one. Commands that only read create nothing.

The exit code is 0 if all is well, 1 if an action is denied or something else is
found, and 2 for wrong use or an error.`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			if cmd.Flags().NFlag() > 0 {
				return missingCommand(cmd)
			}
			return cmd.Help()
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return checkFlags(cmd) },
	}
	root.SetArgs(append([]string{}, args...)) // if nil, cobra takes the arguments of the process
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetVersionTemplate("normsync, version {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return flagError(cmd, args, err) })

	flags := root.PersistentFlags()
	flags.StringVar(&a.db, "db", "", "`PATH` of the store's SQLite file\n(default "+defaultDB+")")
	flags.StringVar(&a.store, "store", "", "`URL` of the store: file:DIR, sqlite:PATH,\npostgres://... or nats://HOST/NAME\n(default $"+storeEnv+")")
	flags.BoolVar(&a.json, "json", false, "write JSON")
	_ = root.MarkPersistentFlagFilename("db")

	groups := commandGroups(a)
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title + ":"})
		for _, c := range g.commands {
			c.GroupID = g.title
			c.DisableFlagsInUseLine = true
			root.AddCommand(c)
			if c.Name() == "help" {
				root.SetHelpCommand(c)
			}
		}
	}
	root.SetCompletionCommandGroupID("More")
	root.InitDefaultCompletionCmd(args...)
	setCompletion(root)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if cmd.HasParent() {
			a.helpErr = a.printf("%s\n\n%s", strings.TrimSpace(cmd.Long), cmd.UsageString())
			return
		}
		a.helpErr = writeHelp(a.stdout, root, groups)
	})
	return root
}

func unknownCommand(parent *cobra.Command, word string) error {
	text := fmt.Sprintf("unknown command %q", word)
	if near, ok := nearestOf(word, commandNames(parent)); ok {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return usageErrorf("%s", text)
}

// missingCommand returns the error of flags that no command follows. The program exits
// with 0 otherwise, although it has not done what the user wanted.
func missingCommand(root *cobra.Command) error {
	text := "a command is missing; write it before or behind the flags"
	root.Flags().Visit(func(f *pflag.Flag) {
		if slices.Contains(commandNames(root), f.Value.String()) {
			text += fmt.Sprintf(" (--%s has taken %q as its value)", f.Name, f.Value)
		}
	})
	return usageErrorf("%s", text)
}

func commandNames(c *cobra.Command) []string {
	var names []string
	for _, sub := range c.Commands() {
		if !sub.Hidden {
			names = append(names, sub.Name())
		}
	}
	return names
}

// setCompletion gives cobra's command completion a place in the help text.
func setCompletion(root *cobra.Command) {
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Use = "completion SHELL"
			c.Short = "complete in your shell"
			c.Long = "Completion writes a script that makes your shell complete commands, flags and\nnames of norms. The shells are bash, zsh, fish and powershell.\n'normsync completion bash --help' says how to load the script."
			c.Example = "  normsync completion bash"
			c.RunE = func(cmd *cobra.Command, args []string) error {
				if len(args) == 0 {
					return usageErrorf("completion: SHELL is missing; the shells are %s", strings.Join(commandNames(cmd), ", "))
				}
				return unknownCommand(cmd, args[0])
			}
			c.Args = cobra.ArbitraryArgs
		}
	}
}
