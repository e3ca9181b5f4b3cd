package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pages follows the links from a path and returns the numbers on each page.
func (w *world) pages(path, key string) (pages [][]int) {
	w.t.Helper()
	for path != "" {
		resp, text := w.do("GET", path, "")
		require.Equal(w.t, http.StatusOK, resp.StatusCode, text)
		var items []map[string]any
		require.NoError(w.t, json.Unmarshal([]byte(text), &items), text)
		numbers := []int{}
		for _, item := range items {
			numbers = append(numbers, int(item[key].(float64)))
		}
		pages = append(pages, numbers)
		link := resp.Header.Get("Link")
		path, _, _ = strings.Cut(strings.TrimPrefix(link, "<"), ">")
		if link != "" {
			require.True(w.t, strings.HasSuffix(link, `; rel="next"`), link)
		}
	}
	return pages
}

func TestViolationsAreFilteredAndPaged(t *testing.T) {
	w := open(t, "", Options{})
	w.object("POST", "/norm", peace)
	w.object("POST", "/norm", `{"name":"hush","condition":"temple","prohibited":"shout","severity":"error"}`)
	for i, a := range []string{
		`"hero","action":"attack","location":"safe_zone"`,
		`"Thief","action":"steal","location":"safe_zone"`,
		`"hero","action":"shout","location":"temple"`,
		`"thief","action":"attack","location":"safe_zone"`,
		`"hero","action":"attack","location":"safe_zone"`,
	} {
		w.object("POST", "/check", fmt.Sprintf(`{"agent_id":%s,"timestamp":%d}`, a, 1767225600+i))
	}
	for query, want := range map[string][][]int{
		"":                                   {{1, 2, 3, 4, 5}},
		"?limit=2":                           {{1, 2}, {3, 4}, {5}},
		"?limit=5":                           {{1, 2, 3, 4, 5}},
		"?limit=2&newest=true":               {{5, 4}, {3, 2}, {1}},
		"?after=3":                           {{4, 5}},
		"?after=3&newest=true":               {{2, 1}},
		"?agent=THIEF":                       {{2, 4}},
		"?agent=thief&limit=1":               {{2}, {4}},
		"?norm=hush":                         {{3}},
		"?norm=nothing":                      {{}},
		"?severity=error":                    {{3}},
		"?severity=warn&limit=3":             {{1, 2, 4}, {5}},
		"?since=1767225602":                  {{3, 4, 5}},
		"?since=2026-01-01T00:00:02Z":        {{3, 4, 5}},
		"?until=2026-01-01T01:00:02%2B01:00": {{1, 2}},
		"?since=1767225601&until=1767225603&limit=1": {{2}, {3}},
	} {
		require.Equal(t, want, w.pages("/violations"+query, "number"), query)
	}
}

func TestALongListIsWhole(t *testing.T) {
	w := open(t, "", Options{})
	w.object("POST", "/norm", peace)
	const n = 2*pageSize + 1
	_, out := w.do("POST", "/check/batch", strings.Repeat(attack+"\n", n))
	require.Equal(t, n, strings.Count(out, "\n"))
	for _, query := range []string{"", "?newest=true"} {
		got := w.pages("/violations"+query, "number")
		require.Len(t, got, 1)
		require.Len(t, got[0], n)
		require.Equal(t, n+1, got[0][0]+got[0][n-1], "from one end to the other")
	}
	total := 0
	for _, page := range w.pages("/violations?limit=400", "number") {
		total += len(page)
	}
	require.Equal(t, n, total)
}

func TestRevisionsArePaged(t *testing.T) {
	w := open(t, "", Options{})
	for i := range 5 {
		w.object("PUT", fmt.Sprintf("/norms/n%d", i%2), fmt.Sprintf(`{"prohibited":"v%d"}`, i))
	}
	for query, want := range map[string][][]int{
		"":                             {{1, 2, 3, 4, 5}},
		"?limit=2":                     {{1, 2}, {3, 4}, {5}},
		"?limit=2&newest=true":         {{5, 4}, {3, 2}, {1}},
		"?limit=1&newest=true":         {{5}, {4}, {3}, {2}, {1}},
		"?after=3":                     {{4, 5}},
		"?after=3&newest=true":         {{2, 1}},
		"?norm=n0&limit=2":             {{1, 3}, {5}},
		"?norm=n0&limit=2&newest=true": {{5, 3}, {1}},
		"?norm=none":                   {{}},
	} {
		require.Equal(t, want, w.pages("/revisions"+query, "edition"), query)
	}
}
