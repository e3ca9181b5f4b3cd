package normsync

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/normsync/normsync/internal/nearest"
	"github.com/normsync/normsync/internal/token"
)

// FactFinding explains whether a fact holds for an action.
type FactFinding struct {
	Fact   Fact      `json:"fact"` // with its Count and its Per
	Holds  bool      `json:"holds"`
	Count  int       `json:"count"`          // how often it counted, up to Fact.Count, as far as this still matters
	Last   time.Time `json:"last,omitzero"`  // when it counted last
	Until  time.Time `json:"until,omitzero"` // when it stops holding because of Within; zero: never, or it does not hold
	Ended  time.Time `json:"ended,omitzero"` // when Until ended it last
	Reason string    `json:"reason"`         // all of that as a sentence
}

// MarshalJSON returns f as an object. Its times are numbers as in [Action.MarshalJSON].
func (f FactFinding) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(&factFindingJSON{(*plainFactFinding)(&f), seconds(f.Last), seconds(f.Until), seconds(f.Ended)})
	if err != nil {
		return nil, opError("encode fact finding", err)
	}
	return b, nil
}

// UnmarshalJSON sets f to the finding in b, as MarshalJSON writes it. After an error f
// is unchanged.
func (f *FactFinding) UnmarshalJSON(b []byte) error {
	var plain plainFactFinding
	read := factFindingJSON{plainFactFinding: &plain}
	if err := json.Unmarshal(b, &read); err != nil {
		return opError("decode fact finding", err)
	}
	plain.Last, plain.Until, plain.Ended = time.Time(read.Last), time.Time(read.Until), time.Time(read.Ended)
	*f = FactFinding(plain)
	return nil
}

// factFindingJSON is a FactFinding with its times as numbers.
type factFindingJSON struct {
	*plainFactFinding
	Last  seconds `json:"last,omitzero"`
	Until seconds `json:"until,omitzero"`
	Ended seconds `json:"ended,omitzero"`
}

type plainFactFinding FactFinding // without methods

// Explain returns whether the fact with that name holds for an action, and why:
//
//	facts:authenticated is missing: no verb:login by this agent since verb:logout at 2026-07-01T18:30:00Z
//	facts:third_strike is missing: 2 of 3 violations of peace by this agent within 10m0s, the last at 2026-07-01T18:30:00Z
//	facts:confirmed holds: verb:confirm by this agent at 2026-07-01T18:30:00Z
//
// It agrees with [Memory.Facts]. The sentence has texts of the declaration only, so it is
// safe to show. If no such fact is declared, the error wraps [ErrInvalid] and names the
// nearest one.
func (m *Memory) Explain(fact string, a Action) (FactFinding, error) {
	i, ok := m.byName[token.Fold(token.Visible(fact))]
	if !ok {
		return FactFinding{}, m.unknownFact(fact)
	}
	f := &m.facts[i]
	finding := FactFinding{Fact: f.Fact}
	at := momentOf(a.Time)
	ended := false
	m.view(f, &a, func(state *factState, ring []moment) {
		finding.Holds, ended = state.holds(at), state.wasEnded
		if f.Within > 0 && finding.Holds && state.until != forever {
			finding.Until = state.until.time()
		}
		if ended {
			finding.Ended = state.ended.time()
		}
		finding.Count = int(state.n)
		times := state.times(ring)
		if len(times) > 0 {
			finding.Last = times[len(times)-1].time()
		}
		if f.Within > 0 {
			now := at.later(state.last)
			finding.Count = len(slices.DeleteFunc(times, func(t moment) bool { return !now.before(t.plus(f.Within)) }))
		}
	})
	finding.Reason = finding.sentence(ended)
	return finding, nil
}

// view calls do with the state of a fact for the key of an action, if there is one.
func (m *Memory) view(f *memoryFact, a *Action, do func(*factState, []moment)) {
	g := &m.groups[f.group]
	if g.world != nil {
		g.world.view(func(k *memoryKey) { do(&k.states[f.at], k.times[f.ring[0]:f.ring[1]]) })
		return
	}
	p := toPrepared(a)
	defer p.free()
	hash := g.hash(&p.p)
	s := m.keys.shard(hash)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if k := s.find(g, hash, &p.p); k != nil {
		do(&k.states[f.at], k.times[f.ring[0]:f.ring[1]])
	}
}

func (m *Memory) unknownFact(name string) error {
	var words nearest.Words
	for i := range m.facts {
		words.Add(m.facts[i].Name, 1)
	}
	advice := "declare it"
	if near, ok := words.Find(name, false); ok {
		advice = fmt.Sprintf("the nearest is %s", quote(near))
	}
	return fmt.Errorf("%w fact %s: no such fact is declared; %s", ErrInvalid, quote(name), advice)
}

// sentence returns the Reason.
func (f *FactFinding) sentence(ended bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "facts:%s ", f.Fact.Name)
	event := strings.Join(strings.Fields(f.Fact.After), " ")
	if event == "" {
		event = "violation of " + strings.TrimSpace(f.Fact.Broke)
		if f.Fact.Count > 1 {
			event = "violations of " + strings.TrimSpace(f.Fact.Broke)
		}
	}
	if f.Holds {
		b.WriteString("holds: ")
	} else {
		b.WriteString("is missing: ")
	}
	switch {
	case f.Fact.Count > 1:
		fmt.Fprintf(&b, "%d of %d %s", f.Count, f.Fact.Count, event)
	case f.Count == 0:
		fmt.Fprintf(&b, "no %s", event)
	default:
		b.WriteString(event)
	}
	b.WriteString(" " + whose(f.Fact.Per))
	if f.Fact.Within > 0 {
		fmt.Fprintf(&b, " within %v", f.Fact.Within)
	}
	switch {
	case !f.Last.IsZero() && f.Fact.Count == 1 && f.Count == 1:
		b.WriteString(" at " + timeText(f.Last))
	case !f.Last.IsZero():
		b.WriteString(", the last at " + timeText(f.Last))
	case ended && !f.Holds:
		b.WriteString(" since " + strings.Join(strings.Fields(f.Fact.Until), " "))
		if !f.Ended.IsZero() {
			b.WriteString(" at " + timeText(f.Ended))
		}
	}
	if !f.Until.IsZero() {
		b.WriteString(", until " + timeText(f.Until))
	}
	return b.String()
}

// whose describes the key of a fact.
func whose(per string) string {
	var parts []string
	for _, p := range []struct{ field, text string }{
		{"agent", "by this agent"}, {"verb", "with this verb"}, {"location", "in this location"}, {"target", "on this target"},
		{"faction", "of this faction"}, {perWorld, "by anybody"},
	} {
		if slices.Contains(strings.Fields(per), p.field) {
			parts = append(parts, p.text)
		}
	}
	return strings.Join(parts, " ")
}
