package normsync_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

// worldToCopy returns a store with Applies of one to three changes, and
// violations of which the oldest were dropped if limit is set.
func worldToCopy(t *testing.T, applies, violations, limit int) *normsync.MemStore {
	t.Helper()
	s := &normsync.MemStore{MaxViolations: limit}
	clock := time.Unix(1_700_000_000, 0)
	m, err := normsync.Open(t.Context(), s, &normsync.Options{Now: func() time.Time { clock = clock.Add(time.Second); return clock }})
	require.NoError(t, err)
	for i := range applies {
		var changes []normsync.Change
		for j := range 1 + i%3 {
			changes = append(changes, normsync.Enact(normsync.Norm{Name: fmt.Sprint("norm ", i, " ", j), Prohibited: "attack"}))
		}
		_, err := m.Apply(t.Context(), changes...)
		require.NoError(t, err)
	}
	for i := range violations {
		v := normsync.Violation{NormName: "norm 0 0", Severity: normsync.SeverityWarn, Action: normsync.Action{Agent: "hero", Verb: fmt.Sprint("attack ", i)}}
		require.NoError(t, s.AppendViolations(t.Context(), v))
	}
	return s
}

func gathered[T any](t *testing.T, seq iter.Seq2[T, error]) (values []T) {
	t.Helper()
	for v, err := range seq {
		require.NoError(t, err)
		values = append(values, v)
	}
	return values
}

// requireCopy requires that to holds what from does, numbered from 1.
func requireCopy(t *testing.T, from, to normsync.Store) {
	t.Helper()
	require.Equal(t, gathered(t, from.Revisions(t.Context(), 0)), gathered(t, to.Revisions(t.Context(), 0)))
	want := gathered(t, from.Violations(t.Context(), 0))
	got := gathered(t, to.Violations(t.Context(), 0))
	require.Len(t, got, len(want))
	for i, v := range got {
		require.Equal(t, uint64(i)+1, v.Number)
		require.Equal(t, want[i].Violation, v.Violation)
	}
}

func TestCopy(t *testing.T) {
	for _, c := range []struct {
		name                       string
		applies, violations, limit int
	}{
		{"nothing", 0, 0, 0},
		{"revisions only", 5, 0, 0},
		{"a few of both", 5, 7, 0},
		{"more than a batch", 1300, 2500, 0},
		{"a source that has dropped its oldest violations", 2, 1500, 1100},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, to := worldToCopy(t, c.applies, c.violations, c.limit), new(normsync.MemStore)
			require.NoError(t, normsync.Copy(t.Context(), from, to))
			requireCopy(t, from, to)
			require.NoError(t, normsync.Copy(t.Context(), from, to), "there is nothing left to copy")
			requireCopy(t, from, to)

			m, err := normsync.Open(t.Context(), from, nil)
			require.NoError(t, err)
			_, err = m.Apply(t.Context(), normsync.Enact(normsync.Norm{Name: "late", Prohibited: "steal"}))
			require.NoError(t, err)
			if c.limit == 0 {
				require.NoError(t, from.AppendViolations(t.Context(), normsync.Violation{NormName: "late", Severity: normsync.SeverityInfo}))
			}
			require.NoError(t, normsync.Copy(t.Context(), from, to), "what was appended meanwhile")
			requireCopy(t, from, to)
		})
	}
}

// interruptedStore fails at an append, after the beginning of a batch of
// violations, as rule 3 allows.
type interruptedStore struct {
	*normsync.MemStore
	left    int // appends that succeed
	appends []int
}

var errInterrupted = errors.New("interrupted")

func (s *interruptedStore) AppendRevisions(ctx context.Context, revs ...normsync.Revision) error {
	if s.left--; s.left < 0 {
		return errInterrupted
	}
	s.appends = append(s.appends, len(revs))
	return s.MemStore.AppendRevisions(ctx, revs...)
}

func (s *interruptedStore) AppendViolations(ctx context.Context, vs ...normsync.Violation) error {
	if s.left--; s.left < 0 {
		return errors.Join(errInterrupted, s.MemStore.AppendViolations(ctx, vs[:len(vs)/3]...))
	}
	return s.MemStore.AppendViolations(ctx, vs...)
}

func TestCopyContinuesAfterAnInterruption(t *testing.T) {
	from := worldToCopy(t, 1300, 2500, 0)
	to := &interruptedStore{MemStore: new(normsync.MemStore)}
	calls := 0
	for {
		to.left = calls % 2 // none, then one
		calls++
		err := normsync.Copy(t.Context(), from, to)
		if err == nil {
			break
		}
		require.ErrorIs(t, err, errInterrupted)
		require.ErrorContains(t, err, "normsync: copy ")
		require.Less(t, calls, 50)
	}
	require.Greater(t, calls, 5)
	requireCopy(t, from, to)
}

// A reader of the target sees whole Applies in the meantime.
func TestCopyKeepsAppliesTogether(t *testing.T) {
	from := worldToCopy(t, 1300, 0, 0)
	to := &interruptedStore{MemStore: new(normsync.MemStore), left: 100}
	require.NoError(t, normsync.Copy(t.Context(), from, to))
	revs := gathered(t, from.Revisions(t.Context(), 0))
	end := 0
	require.Greater(t, len(to.appends), 2)
	for _, n := range to.appends {
		if end > 0 && end < len(revs) {
			require.NotEqual(t, revs[end-1].Time, revs[end].Time, "an append ends within an Apply")
		}
		end += n
	}
	require.Equal(t, len(revs), end)
}

func TestCopyRefusesATargetOfAnotherWorld(t *testing.T) {
	from := worldToCopy(t, 5, 7, 0)
	change := func(n normsync.Norm) *normsync.MemStore {
		s := new(normsync.MemStore)
		m, err := normsync.Open(t.Context(), s, nil)
		require.NoError(t, err)
		_, err = m.Apply(t.Context(), normsync.Enact(n))
		require.NoError(t, err)
		return s
	}
	ahead := new(normsync.MemStore)
	require.NoError(t, normsync.Copy(t.Context(), from, ahead))
	m, err := normsync.Open(t.Context(), ahead, nil)
	require.NoError(t, err)
	_, err = m.Apply(t.Context(), normsync.Enact(normsync.Norm{Name: "new", Prohibited: "steal"}))
	require.NoError(t, err)
	others := new(normsync.MemStore)
	require.NoError(t, others.AppendViolations(t.Context(), normsync.Violation{NormName: "other", Severity: normsync.SeverityWarn}))
	more := worldToCopy(t, 0, 8, 0)
	for name, to := range map[string]*normsync.MemStore{
		"another revision":                         change(normsync.Norm{Name: "other", Prohibited: "attack"}),
		"a revision that the source does not have": ahead,
		"another violation":                        others,
		"more violations than the source":          more,
	} {
		t.Run(name, func(t *testing.T) {
			vs := gathered(t, to.Violations(t.Context(), 0))
			require.ErrorIs(t, normsync.Copy(t.Context(), from, to), normsync.ErrDiverged)
			require.Equal(t, vs, gathered(t, to.Violations(t.Context(), 0)))
		})
	}
}

func TestCopyReportsAContextThatIsDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, normsync.Copy(ctx, worldToCopy(t, 1, 1, 0), new(normsync.MemStore)), context.Canceled)
}
