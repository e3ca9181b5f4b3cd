package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/normsync/normsync"
	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // on Unix
	var out bytes.Buffer
	d := demo{out: &out, agents: 300, ticks: 60, rate: 600}
	require.NoError(t, d.run(t.Context()), "%s", &out)
	for _, line := range []string{
		"1008 norms are enacted at once: edition 1008 is in force.",
		"zoe asks to enact the curfew", "zoe asks to amend it", "yan asks to repeal it",
		"of 18000 actions that the checks found",
		"the verdicts are the same",
		"peace", "curfew", "dry run", "Violations (6)", "Revisions (3)", `"no-camping" never applies: no action has "dungoen". Was "dungeon" meant?`,
		"arena    does not apply: there is no [\"location:arena\"]",
		"peace    violated: found [\"attack\" \"location:safe_zone\"]",
		"The 300 checks of a tick take",
		"is removed",
	} {
		require.Contains(t, out.String(), line)
	}
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestRunEndsWhenItsContextDoes(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	d := demo{out: writer(func(b []byte) {
		if bytes.Contains(b, []byte("agents act")) {
			cancel()
		}
	}), agents: 10, ticks: 1 << 30, rate: 60}
	require.ErrorIs(t, d.run(ctx), context.Canceled)
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	require.Empty(t, left)
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) { w(b); return len(b), nil }

func TestRunRefusesAWorldOfNothing(t *testing.T) {
	require.Error(t, (&demo{out: io.Discard, agents: 0, ticks: 1, rate: 1}).run(t.Context()))
	require.Error(t, (&demo{out: io.Discard, agents: 1, ticks: 0, rate: 1}).run(t.Context()))
	require.Error(t, (&demo{out: io.Discard, agents: 1, ticks: 1, rate: 0}).run(t.Context()))
}

// The demo is honest: no count may differ from another without an error.
func TestAgree(t *testing.T) {
	good := normsync.RecorderStats{Recorded: 3, Stored: 3}
	for name, c := range map[string]struct {
		stats   normsync.RecorderStats
		stored  map[string]int
		dropped bool
		mend    string
	}{
		"all counts agree":              {good, map[string]int{"peace": 3}, false, ""},
		"one was not even dropped":      {normsync.RecorderStats{Recorded: 2, Stored: 2}, map[string]int{"peace": 2}, false, "were offered"},
		"one was dropped":               {normsync.RecorderStats{Recorded: 2, Dropped: 1, Stored: 2}, map[string]int{"peace": 2}, true, "dropped"},
		"one was dropped in silence":    {normsync.RecorderStats{Recorded: 2, Dropped: 1, Stored: 2}, map[string]int{"peace": 2}, false, "said"},
		"one failed":                    {normsync.RecorderStats{Recorded: 3, Stored: 2, Failed: 1}, map[string]int{"peace": 2}, false, "failed"},
		"one is on its way for ever":    {normsync.RecorderStats{Recorded: 3, Stored: 2}, map[string]int{"peace": 2}, false, "were recorded"},
		"one is not in the store":       {good, map[string]int{"peace": 2}, false, "holds"},
		"one is stored as another norm": {good, map[string]int{"peace": 2, "no-fire": 1}, false, "holds"},
	} {
		t.Run(name, func(t *testing.T) {
			d := demo{offered: map[string]int{"peace": 3}, dropped: c.dropped}
			err := d.agree(c.stats, c.stored)
			if c.mend == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.mend)
			}
		})
	}
}

func TestReplayFindsAForgery(t *testing.T) {
	m, err := normsync.NewMonitor(constitution()...)
	require.NoError(t, err)
	var found []normsync.Violation
	for _, a := range newWorld(500).actions(nil) {
		found = m.AppendCheck(found, a)
	}
	require.NotEmpty(t, found)
	editions, err := replay(t.Context(), m.Store(), found)
	require.NoError(t, err)
	require.Equal(t, 1, editions)

	found[0].Severity = "made up"
	_, err = replay(t.Context(), m.Store(), found)
	require.ErrorContains(t, err, "does not find again")
	found[0].Edition = 1 << 40
	_, err = replay(t.Context(), m.Store(), found)
	require.True(t, errors.Is(err, normsync.ErrNotFound))
}

func TestWorldIsTheSameEachTime(t *testing.T) {
	a, b := newWorld(100), newWorld(100)
	var first []normsync.Action
	for tick := range 50 {
		actions := a.actions(nil)
		require.Equal(t, actions, b.actions(nil))
		require.Len(t, actions, 100)
		if tick == 0 {
			first = actions
		}
		for _, do := range actions {
			require.Equal(t, do.Time.UTC(), do.Time)
		}
	}
	require.NotEqual(t, first, a.actions(nil))
}

func TestNormsHaveNoConflicts(t *testing.T) {
	for name, norms := range map[string][]normsync.Norm{"before": constitution(), "at the curfew": append(constitution(), curfew), "with it amended": append(constitution(), amended())} {
		t.Run(name, func(t *testing.T) {
			conflicts, err := normsync.Conflicts(norms)
			require.NoError(t, err)
			require.Empty(t, conflicts)
		})
	}
}
