package main

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// row is a line of the table: a figure, and what it must be and should be.
type row struct {
	what      string
	must, aim bound
	measured  float64
	detail    string // said behind the figure
}

// bound is what a figure is held against. The zero value is none.
type bound struct {
	atLeast bool // or at most
	limit   float64
	set     bool
}

func atMost(x float64) bound  { return bound{false, x, true} }
func atLeast(x float64) bound { return bound{true, x, true} }

func (b bound) String() string {
	switch {
	case !b.set:
		return ""
	case b.atLeast:
		return "≥ " + figure(b.limit)
	}
	return "≤ " + figure(b.limit)
}

func (b bound) meets(x float64) bool {
	if b.atLeast {
		return x >= b.limit
	}
	return x <= b.limit
}

// figure writes a number with two or three digits that count, and thousands apart.
func figure(x float64) string {
	switch {
	case x == math.Trunc(x) && x < 1000:
		return fmt.Sprintf("%.0f", x)
	case x < 10:
		return fmt.Sprintf("%.2f", x)
	case x < 100:
		return fmt.Sprintf("%.1f", x)
	}
	s := fmt.Sprintf("%.0f", x)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func (r row) met() string {
	switch {
	case !r.must.set && !r.aim.set:
		return ""
	case r.must.set && !r.must.meets(r.measured):
		return "**no**"
	case r.aim.set && !r.aim.meets(r.measured):
		return "must"
	case r.aim.set:
		return "aim"
	}
	return "must"
}

func (r row) String() string {
	measured := figure(r.measured)
	if r.detail != "" {
		measured += " (" + r.detail + ")"
	}
	cells := []string{r.what, r.must.String(), r.aim.String(), measured, r.met()}
	return "| " + strings.Join(cells, " | ") + " |"
}

// printHead begins a table in Markdown.
func printHead(out io.Writer, title string) {
	fmt.Fprintf(out, "\n## %s\n\n| what | must | aim | measured | met |\n| --- | ---: | ---: | ---: | --- |\n", title)
}
