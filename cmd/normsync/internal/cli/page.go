package cli

import (
	"github.com/spf13/cobra"

	"github.com/normsync/normsync/cmd/normsync/internal/page"
)

func newPageCommand(a *app) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "page --out DIR",
		Short: "write a playground",
		Long: `Page writes the live page to a folder as a static site, with the library
compiled to WebAssembly in place of the server. Nothing that people enter there
leaves their browser. A link of the page can carry the rules and an action.

Page needs the Go toolchain, and runs in a clone of the repository. Serve the
folder by any web server; browsers do not load it from a file.`,
		Example: `  normsync page --out site
  python3 -m http.server --directory site`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usageErrorf("page: --out is missing; name a folder to write to")
			}
			if err := page.WritePlayground(cmd.Context(), out); err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(map[string]string{"out": out})
			}
			return a.printf("Wrote the playground to %s. Serve it by any web server, for example: python3 -m http.server --directory %s\n", plain(out), plain(out))
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "folder to write to")
	_ = cmd.MarkFlagDirname("out")
	return cmd
}
