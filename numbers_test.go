package normsync_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
)

func TestNumbersTurnNumbersIntoFacts(t *testing.T) {
	table := map[string][]normsync.Threshold{"health": {
		{Fact: "low_health", Below: number(20)},
		{Fact: "wounded", From: number(20), Below: number(50)},
		{Fact: "alive", From: number(math.Nextafter(0, 1))},
	}}
	n, err := normsync.NewNumbers(table)
	require.NoError(t, err)
	*table["health"][0].Below = 1000 // is not kept
	table["gold"] = nil
	for _, test := range []struct {
		x    float64
		want string
	}{
		{-1, "low_health"}, {0, "low_health"}, {0.5, "low_health alive"}, {19.99, "low_health alive"}, {20, "wounded alive"}, {50, "alive"},
		{math.Inf(1), "alive"}, {math.Inf(-1), "low_health"}, {math.NaN(), ""},
	} {
		require.Equal(t, test.want, n.Facts("health", test.x), "%v", test.x)
		require.Equal(t, test.want, (&normsync.Prepared{Facts: n.AppendFacts(nil, "health", test.x)}).Action().Facts)
	}
	require.Equal(t, "", n.Facts("gold", 1))

	c, err := normsync.Compile(prohibition("rest", "facts:low_health", "attack"))
	require.NoError(t, err)
	p := prepare(normsync.Action{Verb: "attack"})
	p.Facts = n.AppendFacts(p.Facts, "health", 7)
	require.False(t, c.AllowsPrepared(p))

	room := make([]normsync.Word, 0, 4)
	require.Zero(t, testing.AllocsPerRun(100, func() { room = n.AppendFacts(room[:0], "health", 0.5) }))

	for want, table := range map[string]map[string][]normsync.Threshold{
		`number "": the name is empty`:                              {"": nil},
		`Below: NaN is not a finite number`:                         {"x": {{Fact: "f", Below: number(math.NaN())}}},
		`From: +Inf is not a finite number; leave the bound out if`: {"x": {{Fact: "f", From: number(math.Inf(1))}}},
		`threshold 2 "": Fact: the fact has no name`:                {"x": {{Fact: "f", From: number(1)}, {From: number(1)}}},
	} {
		_, err := normsync.NewNumbers(table)
		require.ErrorIs(t, err, normsync.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
}

func TestThresholdJSONIsTheThreshold(t *testing.T) {
	for text, want := range map[string]normsync.Threshold{
		`{"fact":"f","below":20}`:                {Fact: "f", Below: number(20)},
		`{"fact":"f","from":-1.5,"below":1e+21}`: {Fact: "f", From: number(-1.5), Below: number(1e21)},
	} {
		var read normsync.Threshold
		require.NoError(t, json.Unmarshal([]byte(text), &read))
		require.Equal(t, want, read)
		b, err := json.Marshal(read)
		require.NoError(t, err)
		require.Equal(t, text, string(b))
	}
	_, err := json.Marshal(normsync.Threshold{Fact: "f", From: number(math.NaN())})
	require.ErrorIs(t, err, normsync.ErrInvalid)
	require.ErrorIs(t, new(normsync.Threshold).UnmarshalJSON([]byte(`{"fact":"f","above":1}`)), normsync.ErrInvalid)
}
