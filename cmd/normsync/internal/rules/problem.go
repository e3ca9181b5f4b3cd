package rules

import (
	"fmt"
	"strings"

	"github.com/normsync/normsync"
)

// Problem is something in a rule file that must be corrected before its rules can be
// used.
type Problem struct {
	Place
	Norm string // name of the norm that it is in; may be empty
	Text string // what is wrong, and what to do
}

func (p Problem) String() string { return p.Place.String() + ": " + p.Text }

// maxShown is the number of problems that the text of an error lists.
const maxShown = 20

// problemError is the error of a Set that has problems.
type problemError []Problem

func (e problemError) Error() string {
	if len(e) == 1 {
		return "normsync: read rules: " + e[0].String()
	}
	lines := []string{fmt.Sprintf("normsync: read rules: %d problems", len(e))}
	for i, p := range e {
		if i == maxShown {
			lines = append(lines, fmt.Sprintf("and %d more; normsync lint lists all", len(e)-i))
			break
		}
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

func (e problemError) Is(target error) bool { return target == normsync.ErrInvalid }
