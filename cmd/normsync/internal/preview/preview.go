// Package preview says what a change of the norms would do, before it is made.
package preview

import (
	"context"
	"slices"

	"github.com/normsync/normsync"
)

// maxEffects is the number of actions that a Preview lists; it counts all.
const maxEffects = 100

// Preview is what would become of a set of norms and of recorded violations.
type Preview struct {
	Edition          uint64              `json:"edition"`           // of the constitution that was compared with
	ConflictsAdded   []normsync.Conflict `json:"conflicts_added"`   // conflicts that the change makes
	ConflictsRemoved []normsync.Conflict `json:"conflicts_removed"` // conflicts that the change resolves
	GaveUp           []string            `json:"gave_up"`           // norms of which conflicts may be missing
	Warnings         []normsync.Warning  `json:"warnings"`          // about the norms of the change
	Examined         int                 `json:"examined"`          // recorded violations that were read
	Actions          int                 `json:"actions"`           // different actions among them
	Changed          int                 `json:"changed"`           // actions that would be judged differently
	NowAllowed       int                 `json:"now_allowed"`       // of those, denied now and allowed then
	NowDenied        int                 `json:"now_denied"`        // of those, allowed now and denied then
	Effects          []Effect            `json:"effects"`           // on the first actions that would be judged differently
}

// Effect is an action that would be judged differently.
type Effect struct {
	Action normsync.Action `json:"action"`
	Before Verdict         `json:"before"`
	After  Verdict         `json:"after"`
}

// Verdict is how an action is judged.
type Verdict struct {
	Allowed bool     `json:"allowed"`
	Norms   []string `json:"norms"` // names of the norms that it breaks
}

// Compare says what changes would do to the conflicts of the norms in force, and which
// actions of recorded violations they would allow or deny. It changes nothing. It fails
// like Monitor.Apply if the changes cannot be carried out.
func Compare(ctx context.Context, now *normsync.Constitution, recorded []normsync.StoredViolation, changes ...normsync.Change) (Preview, error) {
	p := Preview{
		Edition:          now.Edition(),
		ConflictsAdded:   []normsync.Conflict{},
		ConflictsRemoved: []normsync.Conflict{},
		GaveUp:           []string{},
		Warnings:         []normsync.Warning{},
		Examined:         len(recorded),
		Effects:          []Effect{},
	}
	then, err := apply(ctx, now, changes)
	if err != nil {
		return Preview{}, err
	}
	if err := p.compareConflicts(now, then); err != nil {
		return Preview{}, err
	}
	p.warn(then, changes)
	p.compareVerdicts(now, then, recorded)
	return p, nil
}

// apply returns the constitution after the changes. A norm that only an earlier
// version accepted is left out, as it cannot be enacted.
func apply(ctx context.Context, now *normsync.Constitution, changes []normsync.Change) (*normsync.Constitution, error) {
	monitor, err := normsync.NewMonitor(valid(now)...)
	if err != nil {
		return nil, err
	}
	if _, err := monitor.Apply(ctx, changes...); err != nil {
		return nil, err
	}
	return monitor.Constitution(), nil
}

func valid(c *normsync.Constitution) []normsync.Norm {
	return slices.DeleteFunc(slices.Collect(c.All()), func(n normsync.Norm) bool { return n.Validate() != nil })
}

func (p *Preview) compareConflicts(now, then *normsync.Constitution) error {
	before, _, err := normsync.FindConflicts(valid(now))
	if err != nil {
		return err
	}
	after, gaveUp, err := normsync.FindConflicts(valid(then))
	if err != nil {
		return err
	}
	p.GaveUp = append(p.GaveUp, gaveUp...)
	p.ConflictsAdded = append(p.ConflictsAdded, without(after, before)...)
	p.ConflictsRemoved = append(p.ConflictsRemoved, without(before, after)...)
	return nil
}

// without returns the conflicts of list that others does not have.
func without(list, others []normsync.Conflict) []normsync.Conflict {
	type pair struct {
		kind normsync.ConflictKind
		a, b string
	}
	known := map[pair]bool{}
	for _, c := range others {
		known[pair{c.Kind, c.A, c.B}] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(c normsync.Conflict) bool { return known[pair{c.Kind, c.A, c.B}] })
}

// warn lists the warnings about the norms of the changes. Lint sees all norms,
// since some warnings are about several.
func (p *Preview) warn(then *normsync.Constitution, changes []normsync.Change) {
	changed := map[string]bool{}
	for _, c := range changes {
		changed[c.Norm.Name] = true
	}
	for _, w := range normsync.Lint(slices.Collect(then.All())) {
		if changed[w.Norm] {
			p.Warnings = append(p.Warnings, w)
		}
	}
}

func (p *Preview) compareVerdicts(now, then *normsync.Constitution, recorded []normsync.StoredViolation) {
	seen := map[normsync.Action]bool{}
	for _, v := range recorded {
		if seen[v.Action] {
			continue
		}
		seen[v.Action] = true
		p.Actions++
		before, after := judge(now, v.Action), judge(then, v.Action)
		if before.Allowed == after.Allowed && slices.Equal(before.Norms, after.Norms) {
			continue
		}
		p.Changed++
		if after.Allowed && !before.Allowed {
			p.NowAllowed++
		}
		if before.Allowed && !after.Allowed {
			p.NowDenied++
		}
		if len(p.Effects) < maxEffects {
			p.Effects = append(p.Effects, Effect{v.Action, before, after})
		}
	}
}

func judge(c *normsync.Constitution, a normsync.Action) Verdict {
	vs := c.Check(a)
	v := Verdict{Allowed: !normsync.Denied(vs), Norms: make([]string, len(vs))}
	for i := range vs {
		v.Norms[i] = vs[i].NormName
	}
	return v
}
