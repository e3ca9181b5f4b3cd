package implication

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// All windows with bounds among a few times, judged at each of these and between.
func TestWindowsAreTheSetsOfTheirTimes(t *testing.T) {
	var all []Window
	var times []time.Time
	for i := range int64(10) {
		times = append(times, time.Unix(0, i).UTC())
	}
	for _, from := range []int64{-1, 2, 5, 8} {
		for _, until := range []int64{-1, 2, 5, 8} {
			w := Window{}
			if from >= 0 {
				w.From = times[from]
			}
			if until >= 0 {
				w.Until = times[until].In(time.FixedZone("elsewhere", 3600))
			}
			if from < 0 || until < 0 || from < until {
				all = append(all, Window{w.From, w.Until, true})
			}
			if from < until || from >= 0 && until < 0 {
				all = append(all, w)
			}
		}
	}
	times = append(times, time.Time{})
	within := func(w Window) (in int) {
		for i, at := range times {
			if w.has(at) {
				in |= 1 << i
			}
		}
		return in
	}
	require.Equal(t, 0x3c, within(Window{From: times[2], Until: times[6]}), "from its beginning, until before its end")
	require.Equal(t, 0x43f, within(Window{Until: times[6], Untimed: true}))
	require.Equal(t, 0x7ff, within(Window{Untimed: true}))
	for _, w := range all {
		for _, o := range all {
			require.Equal(t, within(w)&within(o) == within(o), w.Contains(o), "%v contains %v", w, o)
			both := w.And(o)
			require.Equal(t, within(w)&within(o), within(both), "%v and %v", w, o)
			require.Equal(t, len(both.Times()) > 0, w.Meets(o), "%v meets %v", w, o)
			require.Equal(t, within(both) == 0 && !both.has(time.Unix(99, 0)), len(both.Times()) == 0, "%v", both)
			for i, at := range both.Times() {
				require.True(t, both.has(at), "%v is within %v", at, both)
				require.Equal(t, both.Untimed && i == 0, at.IsZero(), "no time comes first")
			}
			require.Equal(t, within(w) == within(o), string(w.appendKey(nil)) == string(o.appendKey(nil)) && w.Untimed == o.Untimed)
		}
	}
}

func TestAWindowWithoutABeginningHasEveryTimeBeforeItsEnd(t *testing.T) {
	end := time.Unix(0, 0).UTC()
	require.True(t, Window{Until: end}.has(time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)))
	require.False(t, Window{Until: end}.has(end))
}
