package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/normsync/normsync/cmd/normsync/internal/rules"
	"github.com/normsync/normsync/internal/texttable"
)

// The forms in which lint and test write what they find.
const (
	formatText     = "text"
	formatJSON     = "json"
	formatMarkdown = "markdown"
	formatGitHub   = "github"
)

// formatVar adds the flag --format of lint and test.
func formatVar(cmd *cobra.Command, format *string) {
	choiceVar(cmd, format, "format", "form of the result; github writes annotations of a workflow (default text)",
		formatText, formatJSON, formatMarkdown, formatGitHub)
}

// writeAnnotation writes a workflow command of GitHub, which shows a text beside a line
// of a file. The level is error or warning.
func writeAnnotation(w io.Writer, level, title string, at rules.Place, text string) error {
	_, err := fmt.Fprintf(w, "::%s file=%s,line=%d,col=%d,title=%s::%s\n", level,
		escapeProperty(at.File), at.Line, at.Column, escapeProperty(title), escapeData(text))
	return err
}

// escapeData escapes a text such that it cannot end a workflow command.
func escapeData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(plain(s))
}

// escapeProperty is escapeData for the value of a property.
func escapeProperty(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(escapeData(s))
}

// writeMarkdown writes a sentence, which must be safe in Markdown, and below it a table if that
// has rows.
func writeMarkdown(w io.Writer, sentence string, t *texttable.Table) error {
	out := bufio.NewWriter(w)
	err := writeLine(out, sentence)
	if t.Rows > 0 {
		err = errors.Join(err, writeLine(out, ""), t.WriteMarkdown(out))
	}
	return errors.Join(err, out.Flush())
}
