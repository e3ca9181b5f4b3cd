package normsync

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// Constitution is an immutable, compiled set of norms.
type Constitution struct {
	edition  uint64
	norms    []Norm // in order of name
	versions map[string]int
}

// Compile is a stand-in: the readable definition, to be replaced by the index.
func Compile(norms ...Norm) (*Constitution, error) {
	c := &Constitution{}
	for _, n := range norms {
		if n.Repealed {
			continue
		}
		if err := n.Validate(); err != nil {
			return nil, err
		}
		if n.Scope == "global" {
			n.Scope = ""
		}
		if _, ok := c.Norm(n.Name); ok {
			return nil, fmt.Errorf("%w: two norms are named %q", ErrExists, n.Name)
		}
		c.norms = append(c.norms, n)
	}
	slices.SortFunc(c.norms, func(a, b Norm) int { return strings.Compare(a.Name, b.Name) })
	return c, nil
}

// after returns the constitution that revs, which carry on from c's edition, lead to. It trusts them: whoever calls it has
// checked that they fit (names, kinds, editions) and are valid.
func (c *Constitution) after(revs []Revision) *Constitution {
	d := &Constitution{edition: c.edition, norms: slices.Clone(c.norms), versions: maps.Clone(c.versions)}
	if d.versions == nil {
		d.versions = map[string]int{}
	}
	for _, r := range revs {
		d.norms = slices.DeleteFunc(d.norms, func(n Norm) bool { return n.Name == r.Norm.Name })
		delete(d.versions, r.Norm.Name)
		if r.Kind != KindRepeal {
			d.versions[r.Norm.Name] = r.Version
			d.norms = append(d.norms, r.Norm)
		}
		d.edition = r.Edition
	}
	slices.SortFunc(d.norms, func(a, b Norm) int { return strings.Compare(a.Name, b.Name) })
	return d
}

func (c *Constitution) Check(a Action) []Violation { return c.AppendCheck(nil, a) }

func (c *Constitution) AppendCheck(dst []Violation, a Action) []Violation {
	v := newView(a)
	var hit []Norm
	var permit *Norm
	for _, n := range c.norms {
		if !v.verb(n) || !v.applies(n) {
			continue
		}
		if n.Prohibited != "" {
			hit = append(hit, n)
		} else if !n.Shadow && (permit == nil || n.Priority > permit.Priority) {
			permit = &n
		}
	}
	sortNorms(hit)
	for _, n := range hit {
		if permit == nil || permit.Priority <= n.Priority {
			dst = append(dst, Violation{NormID: n.ID(), NormName: n.Name, Severity: cmp.Or(n.Severity, SeverityWarn), Shadow: n.Shadow, Edition: c.edition, Action: a})
		}
	}
	return dst
}

// sortNorms sorts norms as violations are reported: by priority descending, then by name.
func sortNorms(ns []Norm) {
	slices.SortFunc(ns, func(a, b Norm) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), strings.Compare(a.Name, b.Name))
	})
}

func (c *Constitution) Allows(a Action) bool {
	return !slices.ContainsFunc(c.Check(a), func(v Violation) bool { return !v.Shadow })
}

// withVerb yields the norms, in no order, that have a verb of the action.
func (c *Constitution) withVerb(v *view) iter.Seq[Norm] {
	return func(yield func(Norm) bool) {
		for _, n := range c.norms {
			if v.verb(n) && !yield(n) {
				return
			}
		}
	}
}

// All yields the norms in force in order of name.
func (c *Constitution) All() iter.Seq[Norm] { return slices.Values(c.norms) }

func (c *Constitution) Norm(name string) (Norm, bool) {
	for _, n := range c.norms {
		if n.Name == name {
			return n, true
		}
	}
	return Norm{}, false
}
func (c *Constitution) Len() int        { return len(c.norms) }
func (c *Constitution) Edition() uint64 { return c.edition }

// view is an action split into tokens, for judging single tokens of norms by their texts.
type view struct{ fields [5][]string }

var fieldNames = [5]string{"action", "location", "target", "faction", "agent"}

func newView(a Action) *view {
	v := &view{}
	for i, s := range [5]string{a.Verb, a.Location, a.Target, a.Faction, a.Agent} {
		v.fields[i] = strings.FieldsFunc(strings.ToValidUTF8(s, "\uFFFD"), unicode.IsSpace)
	}
	return v
}

// has reports whether a token of Condition or Unless, written as in a norm, is found in the action.
func (v *view) has(token string) bool {
	if f, w, ok := strings.Cut(token, ":"); ok {
		for i, name := range fieldNames {
			if strings.EqualFold(f, name) {
				return found(w, v.fields[i])
			}
		}
	}
	return found(token, v.fields[0]) || found(token, v.fields[1]) || found(token, v.fields[2]) || found(token, v.fields[3])
}

// hasVerb reports whether a token of Prohibited or Permitted is found in the verb.
func (v *view) hasVerb(token string) bool { return found(token, v.fields[0]) }

func (v *view) verb(n Norm) bool {
	return slices.ContainsFunc(fields(n.Prohibited+" "+n.Permitted), v.hasVerb)
}

func (v *view) applies(n Norm) bool {
	for _, t := range fields(n.Condition) {
		if !v.has(t) {
			return false
		}
	}
	return !slices.ContainsFunc(fields(n.Unless), v.has)
}

// fields splits the text of a norm into its tokens.
func fields(s string) []string { return strings.FieldsFunc(s, unicode.IsSpace) }

func found(word string, tokens []string) bool {
	return slices.ContainsFunc(tokens, func(t string) bool {
		p, ok := strings.CutSuffix(word, "*")
		if !ok {
			return strings.EqualFold(word, t)
		}
		r := []rune(t)
		return len(r) >= len([]rune(p)) && strings.EqualFold(p, string(r[:len([]rune(p))]))
	})
}
