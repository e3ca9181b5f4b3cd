package service

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

func TestRecentKeepsTheNewestActions(t *testing.T) {
	s := &Service{}
	require.Empty(t, slices.Collect(s.Recent()), "without KeepRecent")
	s.KeepRecent(5000)
	var want []normsync.Action
	for i := range 20_000 { // a few blocks
		a := normsync.Action{
			Agent: fmt.Sprint("a", i), Verb: "v", Location: strings.Repeat("l", i%50), Target: "t", Faction: "f", Facts: "\x00é",
			Time: time.Unix(int64(i), int64(i)).UTC(),
		}
		want = append(want, a)
		s.recent.add(a)
		if i%997 == 0 {
			require.Equal(t, want[max(0, len(want)-5000):], slices.Collect(s.Recent()))
		}
	}
	require.Equal(t, want[15_000:], slices.Collect(s.Recent()))
	require.LessOrEqual(t, s.recent.count, 5000+blockSize/20)
	for a := range s.Recent() { // a loop can stop
		require.Equal(t, want[15_000], a)
		break
	}
}

func TestRecentKeepsLongActionsAndOddTimes(t *testing.T) {
	s := &Service{}
	s.KeepRecent(3)
	var want []normsync.Action
	for _, at := range []time.Time{time.Unix(-1, 5).UTC(), time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), {}} {
		a := normsync.Action{Verb: strings.Repeat("v", 3*blockSize), Metadata: "{}", Time: at}
		s.recent.add(a)
		a.Metadata = ""
		want = append(want, a)
	}
	require.Equal(t, want[1:], slices.Collect(s.Recent()))
}
