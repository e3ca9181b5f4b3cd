package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

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

// instant is a flag with a point in time.
type instant struct{ value *time.Time }

func (t instant) String() string {
	if t.value == nil || t.value.IsZero() {
		return ""
	}
	return t.value.Format(time.RFC3339Nano)
}

func (t instant) Type() string { return "TIME" }

func (t instant) Set(text string) (err error) {
	if text == "" {
		*t.value = time.Time{}
		return nil
	}
	*t.value, err = parseTime(text)
	return err
}

var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly}

// parseTime parses a point in time: a date with or without a time of day, in UTC
// unless it says otherwise, a number of seconds since 1970, or a duration ago, such as
// 90m or 7d.
func parseTime(text string) (time.Time, error) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	if t, ok := parseUnix(text); ok {
		return t, nil
	}
	ago := text
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			ago = strconv.FormatUint(24*n, 10) + "h"
		}
	}
	if d, err := time.ParseDuration(ago); err == nil && d >= 0 {
		return time.Now().UTC().Add(-d), nil
	}
	if text == "now" {
		return time.Now().UTC(), nil
	}
	return time.Time{}, fmt.Errorf("%q is not a time; write a date such as 2026-07-01 or 2026-07-01T18:30:00Z, seconds since 1970, or a duration ago such as 90m or 7d", text)
}

// parseUnix parses decimal seconds since 1970, exact to the nanosecond.
func parseUnix(text string) (time.Time, bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || len(fraction) > 9 || seconds < 0 || seconds > 253402300799 { // the year 9999
		return time.Time{}, false
	}
	nanoseconds, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	return time.Unix(seconds, int64(nanoseconds)).UTC(), true
}
