package normsync_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

func TestMonitorStampsTimesThatNeverRunBackwards(t *testing.T) {
	there := time.FixedZone("there", 3600)
	s := new(normsync.MemStore)
	c := &handClock{time.Date(2030, 1, 2, 3, 4, 5, 6, there)}
	m, err := normsync.Open(t.Context(), s, c.options())
	require.NoError(t, err)
	first := c.t.UTC()
	require.Equal(t, first, applyTo(t, m, enact("a"))[0].Time)
	c.t = c.t.Add(-time.Hour)
	require.Equal(t, first, applyTo(t, m, enact("b"))[0].Time)
	m2, err := normsync.Open(t.Context(), s, c.options())
	require.NoError(t, err)
	require.Equal(t, first, applyTo(t, m2, enact("c"))[0].Time)

	// A clock that starts at 1970, which a store keeps as the zero time.
	c.t = time.Unix(0, 0)
	s = new(normsync.MemStore)
	m, err = normsync.Open(t.Context(), s, c.options())
	require.NoError(t, err)
	require.True(t, applyTo(t, m, enact("a"))[0].Time.IsZero())
	c.t = time.Unix(-5, 0)
	require.True(t, applyTo(t, m, enact("b"))[0].Time.IsZero())
	c.t = time.Unix(0, 1)
	require.Equal(t, c.t.UTC(), applyTo(t, m, enact("c"))[0].Time)
	for at, want := range map[time.Time]int{time.Unix(-1, 0): 0, {}: 2, time.Unix(0, 0): 2, time.Unix(0, 1): 3, time.Unix(9, 0): 3} {
		c, err := normsync.At(t.Context(), s, at)
		require.NoError(t, err)
		require.Equal(t, want, c.Len(), at)
	}
	real := applyTo(t, new(normsync.Monitor), enact("a"))[0].Time
	require.True(t, real == real.Round(0).UTC())
}

func TestMonitorRefusesAClockThatIsADayBehind(t *testing.T) {
	const text = "normsync: apply: invalid clock: it says 2026-01-01T00:00:00Z, but the time of the last revision is 2099-01-01T00:00:00Z; " +
		"correct the clock, or, if the last revision's time is wrong, set Options.Now to a function that returns that time"
	ahead, now := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := new(normsync.MemStore)
	c := &handClock{ahead}
	m, err := normsync.Open(t.Context(), s, c.options())
	require.NoError(t, err)
	other, err := normsync.Open(t.Context(), s, c.options())
	require.NoError(t, err)
	applyTo(t, m, enact("a"))
	c.t = now
	for name, m := range map[string]*normsync.Monitor{"the monitor knows the last revision": m, "the monitor has not seen the last revision": other} {
		t.Run(name, func(t *testing.T) {
			revs, err := m.Apply(t.Context(), enact("b"))
			require.ErrorIs(t, err, normsync.ErrInvalid)
			require.EqualError(t, err, text)
			require.Nil(t, revs)
			require.Len(t, all(t, s.Revisions(t.Context(), 0)), 1)
			require.EqualValues(t, 1, m.Constitution().Edition())
			require.Empty(t, applyTo(t, m, enact("a")), "what changes nothing is not stamped")
			_, err = m.Apply(t.Context(), normsync.Repeal("nobody"))
			require.ErrorIs(t, err, normsync.ErrNotFound)
		})
	}

	c.t = ahead.Add(-24*time.Hour - 1)
	_, err = m.Apply(t.Context(), enact("b"))
	require.ErrorIs(t, err, normsync.ErrInvalid)
	c.t = ahead.Add(-24 * time.Hour)
	require.Equal(t, ahead, applyTo(t, m, enact("b"))[0].Time, "a day is not too much")

	c.t = now
	_, err = m.Apply(t.Context(), enact("c"))
	require.EqualError(t, err, text)
	_, stamped, _ := strings.Cut(text, "the last revision is ")
	stamped, _, _ = strings.Cut(stamped, ";")
	asTheErrorSays, err := time.Parse(time.RFC3339, stamped)
	require.NoError(t, err)
	m, err = normsync.Open(t.Context(), s, &normsync.Options{Now: func() time.Time { return asTheErrorSays }})
	require.NoError(t, err)
	require.Equal(t, ahead, applyTo(t, m, enact("c"))[0].Time)
	then, err := normsync.At(t.Context(), s, now)
	require.NoError(t, err)
	require.Zero(t, then.Len(), "At goes by the times of the log")
	last, err := normsync.AtEdition(t.Context(), s, 3)
	require.NoError(t, err)
	require.Equal(t, 3, last.Len())
}
