package normsync

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync/internal/cow"
)

// randomNorms returns norms whose texts are about as long as short has room for.
func randomNorms(r *rand.Rand, n int) []Norm {
	text := func(most int) string {
		if r.IntN(3) == 0 {
			return ""
		}
		var b strings.Builder
		for n := r.IntN(most); b.Len() < n; {
			b.WriteString([]string{"a", "bc ", "Zoë ", "木", "a|b ", "agent:x ", "w* "}[r.IntN(7)])
		}
		return b.String()
	}
	times := []time.Time{{}, {}, time.Unix(0, 0).UTC(), time.Unix(1700000000, 999999999).UTC(), time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)}
	norms := make([]Norm, n)
	for i := range norms {
		n := &norms[i]
		*n = Norm{
			Name: fmt.Sprint(i, text(30)), Description: text(300), Condition: text(shortSize), Unless: text(20), Scope: text(9), Advice: text(100),
			Priority: []int{0, 0, 7, -7, math.MinInt32, math.MaxInt32, math.MaxInt}[r.IntN(7)],
			Severity: severities[r.IntN(len(severities))],
			Shadow:   r.IntN(2) == 0,
			From:     times[r.IntN(len(times))],
			Until:    times[r.IntN(len(times))],
		}
		if verbs := "v" + text(20); r.IntN(2) == 0 {
			n.Permitted = verbs
		} else {
			n.Prohibited = verbs
		}
	}
	return norms
}

func TestAPageHasTheNormsThatWerePutIntoIt(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 200 {
		p := &normPage{owner: cow.NewOwner()}
		norms := randomNorms(r, perPage)
		metas := make([]normMeta, perPage)
		for i := range norms {
			metas[i] = normMeta{ID{byte(r.Uint32())}, r.Uint32()}
			p.put(uint32(round*perPage+i), &norms[i], metas[i])
		}
		agree := func() {
			t.Helper()
			for i := range norms {
				n, packed := &norms[i], &p.norms[i]
				require.Equal(t, *n, packed.unpack())
				require.Equal(t, metas[i], normMeta{packed.id, packed.version})
				require.Equal(t, []any{n.Condition, n.verbs(), n.Unless, n.Name, n.Advice, n.Shadow, n.Permitted != "", n.Priority},
					[]any{packed.condition(), packed.verbs(), packed.unless(), packed.name(), packed.advice(), packed.shadow, packed.permit, packed.priority})
				require.Equal(t, len(n.Condition+n.verbs()+n.Unless) <= shortSize, packed.isShort())
				for _, at := range []time.Time{{}, time.Unix(1600000000, 0), time.Unix(1700000000, 999999999), n.From, n.Until} {
					require.Equal(t, n.active(at), packed.active(at))
				}
				k := r.IntN(perPage)
				require.Equal(t, compareNorms(n, &norms[k]), packed.compare(&p.norms[k]))
			}
		}
		agree()
		p.pack()
		agree()
		k := r.IntN(perPage)
		norms[k] = randomNorms(r, 1)[0]
		p.put(uint32(k), &norms[k], metas[k])
		agree()
	}
}

// Otherwise the garbage collector would have an object for each norm.
func TestTheTextsOfAPageAreInFewStrings(t *testing.T) {
	norms := make([]Norm, 4*perPage)
	for i := range norms {
		norms[i] = Norm{Name: fmt.Sprint(i), Prohibited: "v", Description: strings.Repeat("d", i+1)}
	}
	norms[5].Scope = strings.Repeat("s", 3*packBytes)
	c, err := Compile(norms...)
	require.NoError(t, err)
	objects, total := 0, 0
	for _, p := range c.norms.pages {
		var next uintptr
		size := 0 // of the string so far
		for i := range p.norms {
			text := p.norms[i].long
			if start := uintptr(unsafe.Pointer(unsafe.StringData(text))); start != next {
				next, size = start, 0
				objects++
			}
			next += uintptr(len(text))
			size += len(text)
			total += len(text)
			require.True(t, size <= packBytes || size == len(text), "a violation that is kept keeps no more")
		}
	}
	require.LessOrEqual(t, objects, len(c.norms.pages)+2*total/packBytes)
}

// What a caller keeps must not keep 8 KiB of an old edition. A condition must not keep the
// other texts of its norm.
func TestWhatACheckReturnsKeepsNoPage(t *testing.T) {
	c, err := Compile(Norm{Name: "n", Condition: "forest", Prohibited: "hunt", Advice: "ask", Description: strings.Repeat("d", 100)})
	require.NoError(t, err)
	page := weak.Make(c.norms.pages[0])
	n, _ := c.Norm("n")
	violations, findings := c.Check(Action{Verb: "hunt", Location: "forest"}), c.Explain(Action{Verb: "hunt", Location: "forest"})
	require.Len(t, violations, 1)
	require.Len(t, findings, 1)
	var kept []any
	for n := range c.All() {
		kept = append(kept, n)
	}
	for verb := range c.Verbs() {
		kept = append(kept, verb)
	}
	require.NotNil(t, page.Value())
	condition, texts := n.Condition, weak.Make(unsafe.StringData(c.norms.pages[0].norms[0].long))
	require.NotNil(t, texts.Value())
	runtime.KeepAlive(c)
	c = nil
	runtime.GC()
	require.Nil(t, page.Value())
	require.Equal(t, "hunt", n.Prohibited)
	runtime.KeepAlive(kept)
	kept, violations, findings, n = kept[:1], violations[:1], findings[:1], Norm{}
	clear(kept)
	clear(violations)
	clear(findings)
	runtime.GC()
	require.Nil(t, texts.Value())
	require.Equal(t, "forest", condition)
}

func TestTextsThatOnePackedNormCannotHoldAreRefused(t *testing.T) {
	zeros := make([]byte, maxTextBytes) // not touched, so it takes no memory
	huge := unsafe.String(&zeros[0], len(zeros))
	for _, n := range []Norm{{Name: "n", Prohibited: "v", Scope: huge}, {Name: "n", Permitted: "v", Condition: huge, Scope: huge}} {
		require.Regexp(t, "its texts have (1073741826|2147483650) bytes in all, and at most 1073741824 are allowed", n.Validate())
		require.ErrorIs(t, n.validateStored(), ErrInvalid)
	}
}
