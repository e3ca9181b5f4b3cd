package cli

import (
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version returns the version of the program, as the go command recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return strings.TrimPrefix(info.Main.Version, "v")
}

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Long:  `Version prints the version of the program.`,
		Args:  takes(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.json {
				return a.writeJSON(map[string]string{"version": version(), "go": runtime.Version()})
			}
			return a.printf("normsync, version %s\n", version())
		},
	}
}
