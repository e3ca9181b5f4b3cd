package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// choice is a flag with a few values to choose from.
type choice struct {
	value  *string
	values []string
}

func (c choice) String() string {
	if c.value == nil {
		return ""
	}
	return *c.value
}

func (c choice) Type() string { return strings.Join(c.values, "|") }

func (c choice) Set(text string) error {
	if !slices.Contains(c.values, text) {
		list := strings.Join(c.values[:len(c.values)-1], ", ") + " or " + c.values[len(c.values)-1]
		if near, ok := nearestOf(text, c.values); ok {
			return fmt.Errorf("%s is unknown; did you mean %q?", quote(text), near)
		}
		return fmt.Errorf("%s is unknown; use %s", quote(text), list)
	}
	*c.value = text
	return nil
}

// choiceVar adds a flag whose value is one of a few words, which shells complete.
func choiceVar(cmd *cobra.Command, value *string, name, usage string, values ...string) {
	cmd.Flags().Var(choice{value, values}, name, usage)
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}
