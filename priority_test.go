package normsync

import (
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestValidateHoldsPrioritiesTo32Bits(t *testing.T) {
	n := ban("n", "", "x")
	for _, n.Priority = range []int{math.MinInt32, -1, 0, 1, math.MaxInt32} {
		require.NoError(t, n.Validate())
	}
	if strconv.IntSize == 32 {
		return
	}
	for _, beyond := range []int64{math.MinInt32 - 1, math.MaxInt32 + 1, 5_000_000_000, math.MinInt64, math.MaxInt64} {
		n.Priority = int(beyond)
		err := n.Validate()
		require.ErrorIs(t, err, ErrInvalid)
		require.EqualError(t, err, `normsync: invalid norm "n": Priority: `+strconv.FormatInt(beyond, 10)+` is beyond 32 bits; choose one from -2147483648 to 2147483647`)
	}
	n.Severity = "loud"
	require.ErrorContains(t, n.Validate(), ": Priority: ", "faults come in the order of the fields")
}

func TestReadNormsNamesThePriorityThatIsBeyond32Bits(t *testing.T) {
	_, err := ReadNorms(strings.NewReader("[\n{\"name\":\"n\",\"prohibited\":\"x\",\"priority\":5000000000}]"))
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorContains(t, err, `norm 1 "n" in line 2, `)
	require.ErrorContains(t, err, "5000000000 is beyond 32 bits; choose one from -2147483648 to 2147483647")
}

// Version 0.1 took a priority of 5000000000. Its log opens where an int holds
// that, and nobody is told that it is damaged where none does.
func TestALogWithAPriorityBeyond32Bits(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/store-0.1-priority")))
	s := openFileStore(t, dir, nil)
	m, err := Open(t.Context(), s, nil)
	if strconv.IntSize == 32 {
		var corrupt *CorruptError
		require.NotErrorAs(t, err, &corrupt)
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorContains(t, err, "revisions.jsonl:2: ")
		require.ErrorContains(t, err, `key "norm.priority": 5000000000 is beyond 32 bits; choose one from -2147483648 to 2147483647; only a program of 64 bits can read a log that holds it`)
		require.NotContains(t, err.Error(), "backup")
		return
	}
	require.NoError(t, err)
	require.True(t, m.Allows(Action{Verb: "attack", Location: "arena"}), "5000000000 is above 2147483647")
	require.False(t, m.Allows(Action{Verb: "attack"}))
	c, err := At(t.Context(), s, time.Now())
	require.NoError(t, err)
	require.Equal(t, normsOf(m.Constitution()), normsOf(c))
	history, err := History(t.Context(), s, "duels")
	require.NoError(t, err)
	duels := history[0].Norm
	require.EqualValues(t, int64(5_000_000_000), duels.Priority)

	duels.Description = "to the first blood"
	_, err = m.Apply(t.Context(), Amend(duels))
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorContains(t, err, "Priority: 5000000000 is beyond 32 bits")
	duels.Priority = 1
	applyTo(t, m, Amend(duels))
	applyTo(t, m, Repeal("duels"))
	require.EqualValues(t, 4, openOn(t, s).Constitution().Edition())
}
