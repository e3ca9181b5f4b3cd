package cli

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// newHelpCommand returns the command help. That of cobra does not fail if there is no
// such command.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "explain a command",
		Long:  `Help explains a command, or lists all commands.`,
		Args:  takes("[COMMAND]"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return commandNames(cmd.Root()), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			if len(args) == 0 {
				return root.Help()
			}
			c, _, err := root.Find(args)
			if err != nil || c == root {
				return unknownCommand(root, args[0])
			}
			c.InitDefaultHelpFlag() // so that the flags are complete
			return c.Help()
		},
	}
}

// The help text has two columns of commands, so that it fits on a screen.
const (
	columnWidth = 40
	nameWidth   = 14
)

// writeHelp writes the help text of the root command.
func writeHelp(w io.Writer, root *cobra.Command, groups []group) error {
	var columns [2][]string
	for _, g := range groups {
		lines := []string{g.title}
		for _, c := range root.Commands() {
			if c.GroupID == g.title && !c.Hidden {
				lines = append(lines, fmt.Sprintf("  %-*s%s", nameWidth, c.Name(), c.Short))
			}
		}
		if len(lines) == 1 {
			continue
		}
		columns[g.column] = append(columns[g.column], lines...)
	}
	out := bufio.NewWriter(w)
	fmt.Fprint(out, "normsync checks actions by a world's rules. 'normsync help COMMAND' says more.\n\n")
	for i := range max(len(columns[0]), len(columns[1])) {
		line := ""
		if i < len(columns[0]) {
			line = columns[0][i]
		}
		if i < len(columns[1]) {
			line = fmt.Sprintf("%-*s%s", columnWidth, line, columns[1][i])
		}
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
	fmt.Fprint(out, `
--db PATH     SQLite file of the store (default `+defaultDB+`)
--store URL   file:DIR, postgres://... or nats://... (default $`+storeEnv+`)
--json        write JSON
Exit codes: 0 fine, 1 denied or something found, 2 wrong use or an error.
`)
	return out.Flush()
}
