package rules

import (
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/token"
)

// replay runs the actions of a log through a memory of the facts that the files declare,
// as the command check does, and notes what the log has of each fact. An action without a
// time is at the beginning of 1970, so that the result does not depend on a clock.
type replay struct {
	constitution *normsync.Constitution // judges the actions
	memory       *normsync.Memory
	events       *normsync.Constitution // forbids what meets After; its norms have the indexes of the facts as names
	facts        []replayedFact
	byName       map[string]*replayedFact // by folded name
	fields       fieldSet                 // those that some action has
}

// replayedFact is what a log has of a fact.
type replayedFact struct {
	normsync.Fact // with its Count and its Per
	broke         []string
	held          bool     // for some action, or behind it
	met           int      // the actions that meet After, or the violations that Broke names
	counted       int      // of these, the ones that count
	fields        fieldSet // those that some action of these has
}

// fieldSet has the fields that Per can name.
type fieldSet map[string]bool

func (s fieldSet) add(a *normsync.Action) {
	for field, text := range map[string]string{"agent": a.Agent, "verb": a.Verb, "location": a.Location, "target": a.Target, "faction": a.Faction} {
		if strings.TrimSpace(text) != "" {
			s[field] = true
		}
	}
}

// newReplay returns a replay with the facts of a set, and a constitution of its norms.
func newReplay(s *Set, c *normsync.Constitution) (*replay, error) {
	memory, err := s.NewMemory()
	if err != nil {
		return nil, err
	}
	r := &replay{constitution: c, memory: memory, facts: make([]replayedFact, 0, len(s.facts)), byName: map[string]*replayedFact{}, fields: fieldSet{}}
	var events []normsync.Norm
	for f := range memory.All() {
		r.facts = append(r.facts, replayedFact{Fact: f, broke: brokenNorms(f.Broke), fields: fieldSet{}})
		r.byName[token.Fold(f.Name)] = &r.facts[len(r.facts)-1]
		if strings.TrimSpace(f.After) != "" {
			events = append(events, normsync.Norm{Name: strconv.Itoa(len(r.facts) - 1), Condition: f.After, Prohibited: "*"})
		}
	}
	r.events, err = normsync.Compile(events...)
	return r, err
}

// run returns the actions of a log, each with the facts that hold for it. A fact that the
// log has already is kept, since the program that wrote the log may know what had happened
// before the log began.
func (r *replay) run(log iter.Seq[normsync.Action]) iter.Seq[normsync.Action] {
	return func(yield func(normsync.Action) bool) {
		for a := range log {
			r.fields.add(&a)
			own := r.memory.Facts(a)
			met := a
			met.Facts = joinWords(r.unclaimed(a.Facts), own)
			a.Facts = joinWords(a.Facts, own)
			if !yield(a) {
				return
			}
			violations := r.constitution.Check(a)
			happened := !normsync.Denied(violations)
			for _, v := range r.events.Check(met) {
				i, _ := strconv.Atoi(v.NormName)
				r.facts[i].note(&a, happened)
			}
			for _, v := range violations {
				r.violated(&v)
			}
			r.memory.Violated(violations...)
			if happened {
				r.memory.Happened(a)
			}
			r.unclaimed(r.memory.Facts(a))
		}
	}
}

// unclaimed returns a text of facts without those that the files declare, and notes these.
func (r *replay) unclaimed(facts string) string {
	var words []string
	for _, word := range strings.Fields(facts) {
		if f := r.byName[token.Fold(token.Visible(word))]; f != nil {
			f.held = true
		} else {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

// violated notes a violation for the facts that name its norm in Broke.
func (r *replay) violated(v *normsync.Violation) {
	if v.Shadow {
		return
	}
	for i := range r.facts {
		for _, name := range r.facts[i].broke {
			prefix, star := strings.CutSuffix(name, "*")
			if v.NormName == name || star && strings.HasPrefix(v.NormName, prefix) {
				r.facts[i].note(&v.Action, true)
				break
			}
		}
	}
}

// note notes an action that meets After, or a violation that Broke names.
func (f *replayedFact) note(a *normsync.Action, counts bool) {
	f.met++
	if counts {
		f.counted++
		f.fields.add(a)
	}
}

// whyNot says why the fact never holds in the log.
func (f *replayedFact) whyNot() string {
	event := "meet its After"
	switch {
	case f.Broke != "" && f.met == 0:
		return "nothing violates " + f.Broke
	case f.met == 0:
		return "no action meets its After"
	case f.counted == 0:
		return fmt.Sprintf("the norms deny all actions that meet its After (%d)", f.met)
	case f.Broke != "":
		event = "violate " + f.Broke
	}
	why := fmt.Sprintf("the actions that %s (%d) are never %d", event, f.counted, f.Count)
	if f.Per != "world" {
		why += " with the same " + strings.Join(strings.Fields(f.Per), " and ")
	}
	if f.Within > 0 {
		why += " within " + f.Within.String()
	}
	return why
}

// emptyPer returns the fields of Per that no action has that counts for the fact. If none
// counts, it returns those that no action of the log has.
func (f *replayedFact) emptyPer(log fieldSet) (empty []string) {
	has := f.fields
	if f.counted == 0 {
		has = log
	}
	if len(has) == 0 {
		return nil // the log is empty
	}
	for _, field := range strings.Fields(f.Per) {
		if field != "world" && !has[field] {
			empty = append(empty, field)
		}
	}
	return empty
}
