package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/normsync/normsync/internal/nearest"
)

// takes returns a check that a command gets the arguments with these names, of which
// the last ones may be missing if their names are in brackets.
func takes(names ...string) cobra.PositionalArgs {
	least := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, "[") })
	if least < 0 {
		least = len(names)
	}
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(names) == 0 && len(args) > 0:
			return usageErrorf("%s takes no arguments, but was given %s", cmd.Name(), quote(args[0]))
		case len(args) < least:
			return usageErrorf("%s: %s is missing; the arguments are %s", cmd.Name(), names[len(args)], strings.Join(names, " "))
		case len(args) > len(names):
			return usageErrorf("%s: %q is one argument too many; the arguments are %s (quote an argument that has spaces)", cmd.Name(), args[len(names)], strings.Join(names, " "))
		}
		return nil
	}
}

// valued are flags that must have a value. An unset variable in a script would turn
// them off unnoticed. An empty text of other flags clears a field of a norm.
var valued = []string{"db", "store", "actions", "rules", "agent", "norm", "since", "token", "token-file", "tls-cert", "tls-key"}

// checkFlags checks the flags that all commands treat alike.
func checkFlags(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		switch {
		case err != nil:
		case f.Value.String() == "" && slices.Contains(valued, f.Name):
			err = usageErrorf("%s: --%s is empty; give it a value, or leave it out", cmd.Name(), f.Name)
		case f.Name == "format" && f.Value.String() != "json" && cmd.Flags().Changed("json") && cmd.Flag("json").Value.String() == "true":
			err = usageErrorf("%s: --json and --format %s both name a form; leave one of them out", cmd.Name(), f.Value)
		}
	})
	return err
}

// flagError returns the error of a flag that is wrong, with a suggestion if it is
// unknown. The args are the arguments of the program.
func flagError(cmd *cobra.Command, args []string, err error) error {
	if !cmd.HasParent() && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return unknownCommand(cmd, args[0]) // whose flags are not known
	}
	text := err.Error()
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		text = fmt.Sprintf("unknown flag --%s", unknown.GetSpecifiedName())
		if near, ok := nearestOf(unknown.GetSpecifiedName(), names); ok {
			text += fmt.Sprintf("; did you mean --%s?", near)
		}
	case errors.As(err, &invalid):
		cause := invalid.Unwrap().Error()
		if errors.As(err, new(*strconv.NumError)) {
			cause = quote(invalid.GetValue()) + " is not a whole number"
			switch kind := invalid.GetFlag().Value.Type(); {
			case kind == "bool":
				cause = quote(invalid.GetValue()) + " is not true or false"
			case strings.HasPrefix(kind, "uint"):
				cause += " of 0 or more"
			}
		}
		text = fmt.Sprintf("--%s: %s", invalid.GetFlag().Name, cause)
	}
	if cmd.HasParent() {
		text = cmd.Name() + ": " + text
	}
	return usageErrorf("%s", text)
}

// nearestOf returns the word that a misspelled one was probably meant to be. A word
// that begins with the misspelled one is near, too.
func nearestOf(word string, words []string) (string, bool) {
	var known nearest.Words
	for _, w := range words {
		known.Add(w, 1)
	}
	if near, ok := known.Find(word, false); ok {
		return near, true
	}
	if len(word) < 2 {
		return "", false
	}
	for _, w := range slices.Sorted(slices.Values(words)) {
		if strings.HasPrefix(w, word) {
			return w, true
		}
	}
	return "", false
}
