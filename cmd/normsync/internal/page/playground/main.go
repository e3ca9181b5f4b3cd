//go:build js && wasm

// Playground is the library in a browser: it does for the page what the server does,
// with a store in memory.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall/js"
	"time"

	"github.com/normsync/normsync"

	"github.com/normsync/normsync/cmd/normsync/internal/preview"
)

func main() {
	w := &world{store: new(normsync.MemStore)}
	monitor, err := normsync.Open(context.Background(), w.store, nil)
	if err != nil {
		panic(err) // an empty store can be opened
	}
	w.monitor = monitor
	js.Global().Set("normsync", js.FuncOf(func(_ js.Value, args []js.Value) any {
		return w.answer(args[0].String(), args[1].String())
	}))
	select {}
}

// world is what the page plays with.
type world struct {
	store   *normsync.MemStore
	monitor *normsync.Monitor
	checked []normsync.Action
}

// answer answers a call of the page by JSON: an object with the key answer or error.
func (w *world) answer(name, argument string) string {
	answer, err := w.call(name, argument)
	reply := map[string]any{"answer": answer}
	if err != nil {
		reply = map[string]any{"error": err.Error()}
	}
	text, err := json.Marshal(reply)
	if err != nil {
		return fmt.Sprintf(`{"error": %q}`, err)
	}
	return string(text)
}

func (w *world) call(name, argument string) (any, error) {
	ctx, c := context.Background(), w.monitor.Constitution()
	switch name {
	case "norms":
		return slices.AppendSeq([]normsync.Norm{}, c.All()), nil
	case "revisions":
		return w.revisions(ctx)
	case "violations":
		return w.violations(ctx)
	case "compliance":
		return normsync.Audit(c, slices.Values(w.checked)), nil
	case "conflicts":
		found, err := normsync.Conflicts(slices.Collect(c.All()))
		return append([]normsync.Conflict{}, found...), err
	case "enact":
		return w.enact(ctx, argument)
	case "explain", "check":
		return w.judge(ctx, argument, name == "check")
	case "preview":
		return w.preview(ctx, argument)
	case "change":
		change, err := readChange(argument)
		if err != nil {
			return nil, err
		}
		return w.monitor.Apply(ctx, change)
	}
	return nil, fmt.Errorf("normsync: call %q: there is no such function", name)
}

// revisions returns all revisions, newest first.
func (w *world) revisions(ctx context.Context) ([]normsync.Revision, error) {
	list := []normsync.Revision{}
	for r, err := range w.store.Revisions(ctx, 0) {
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	slices.Reverse(list)
	return list, nil
}

// violation is a violation with its number.
type violation struct{ normsync.StoredViolation }

// MarshalJSON returns the violation with its number as the last key, as the server
// does.
func (v violation) MarshalJSON() ([]byte, error) {
	text, err := v.Violation.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(text[:len(text)-1], `,"number":%d}`, v.Number), nil
}

// violations returns the newest violations, newest first.
func (w *world) violations(ctx context.Context) ([]violation, error) {
	list := []violation{}
	for v, err := range w.store.QueryViolations(ctx, normsync.ViolationQuery{Newest: true, Limit: 500}) {
		if err != nil {
			return nil, err
		}
		list = append(list, violation{v})
	}
	return list, nil
}

// enact puts all norms of a list in force, or none of them.
func (w *world) enact(ctx context.Context, argument string) (any, error) {
	norms, err := normsync.ReadNorms(strings.NewReader(argument))
	if err != nil {
		return nil, err
	}
	var changes []normsync.Change
	for _, n := range norms {
		changes = append(changes, normsync.Enact(n))
	}
	return w.monitor.Apply(ctx, changes...)
}

func (w *world) judge(ctx context.Context, argument string, record bool) (any, error) {
	var a normsync.Action
	if err := json.Unmarshal([]byte(argument), &a); err != nil {
		return nil, err
	}
	if a.Time.IsZero() {
		a.Time = time.Now().UTC()
	}
	c := w.monitor.Constitution()
	if record {
		w.checked = append(w.checked, a)
		if err := w.store.AppendViolations(ctx, c.Check(a)...); err != nil {
			return nil, err
		}
	}
	findings := c.Explain(a)
	for i := range findings {
		findings[i].Matched = append([]string{}, findings[i].Matched...) // never null
	}
	return map[string]any{"allowed": c.Allows(a), "findings": append([]normsync.Finding{}, findings...)}, nil
}

func (w *world) preview(ctx context.Context, argument string) (any, error) {
	change, err := readChange(argument)
	if err != nil {
		return nil, err
	}
	var recorded []normsync.StoredViolation
	for v, err := range w.store.QueryViolations(ctx, normsync.ViolationQuery{Newest: true, Limit: 1000}) {
		if err != nil {
			return nil, err
		}
		recorded = append(recorded, v)
	}
	return preview.Compare(ctx, w.monitor.Constitution(), recorded, change)
}

// readChange reads a change as the page writes it.
func readChange(argument string) (normsync.Change, error) {
	var in struct {
		Kind   string          `json:"kind"`
		Name   string          `json:"name"`
		Norm   json.RawMessage `json:"norm"`
		By     string          `json:"by"`
		Reason string          `json:"reason"`
	}
	d := json.NewDecoder(bytes.NewReader([]byte(argument)))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return normsync.Change{}, err
	}
	if in.Kind == "repeal" {
		return normsync.Repeal(in.Name).Attributed(in.By, in.Reason), nil
	}
	var n normsync.Norm
	if err := n.UnmarshalJSON(in.Norm); err != nil {
		return normsync.Change{}, err
	}
	switch in.Kind {
	case "enact":
		return normsync.Enact(n).Attributed(in.By, in.Reason), nil
	case "amend":
		return normsync.Amend(n).Attributed(in.By, in.Reason), nil
	}
	return normsync.Change{}, errors.New("normsync: change norms: the kind is unknown; use enact, amend or repeal")
}
