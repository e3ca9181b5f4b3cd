// Package workload makes worlds to measure and test with: norms and actions, as
// many as asked for, the same ones each time. Some are made as games make
// them, others as an attacker would.
package workload

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Norm is the part of a norm that matters for a check.
type Norm struct {
	Name, Condition, Unless, Prohibited, Permitted string
	Priority                                       int
	From                                           time.Time
}

// Action is an action of about 30 bytes: a verb, and four words.
type Action struct{ Agent, Verb, Location, Target, Faction, Facts string }

// Distribution says how the norms of a world relate.
type Distribution int

const (
	Zipf      Distribution = iota // verbs by Zipf's law, conditions of 1 to 3 words
	Uniform                       // the same with all verbs equally common
	OneVerb                       // hostile: all norms have the same verb
	OneWord                       // hostile: all conditions share a word, and have one of their own
	OnlyWord                      // hostile: all conditions are the same word, and the verbs differ
	EightOf32                     // hostile: conditions are 8 out of 32 words, of which actions have 16
	Colliding                     // hostile: all words share their 32-bit FNV-1a hash
)

// Distributions are the names of the kinds.
var Distributions = [...]string{"zipf", "uniform", "one-verb", "one-word", "only-word", "eight-of-32", "colliding"}

func (d Distribution) String() string { return Distributions[d] }

// Feature says what else than words the norms use: a tenth of them, so that
// worlds with and without it can be compared.
type Feature int

const (
	Plain     Feature = iota
	Prefixed          // the first token is a prefix of four letters
	Qualified         // every token has the name of its field
	OfAgents          // one more token names the agent
	Excepted          // Unless has a word that some actions have
	Permitted         // it is a permit of higher priority
	Windowed          // From is set
	AnyOf             // the first token has two alternatives
	OfFacts           // the first token is one of the facts
)

// Features are the names of the features.
var Features = [...]string{"none", "prefixes", "qualified", "agents", "unless", "permits", "windows", "any-of", "facts"}

func (f Feature) String() string { return Features[f] }

// World describes a world. Norms and actions have numbers, and are made when asked for.
type World struct {
	Size         int // number of norms
	Distribution Distribution
	Feature      Feature
}

// common is the word that all norms of some worlds share.
const common = "common"

// recipe is what a norm is made from, and an action that breaks it.
type recipe struct {
	verb  string
	words []string
}

func (w World) recipe(i int) recipe {
	rng := rand.New(rand.NewPCG(1, uint64(i)))
	switch w.Distribution {
	case OneVerb:
		return recipe{verbs[0], w.some(rng, 1+rng.IntN(3))}
	case OneWord:
		return recipe{w.verb(rng), []string{common, word(i)}}
	case OnlyWord:
		return recipe{word(i), []string{common}}
	case EightOf32:
		return recipe{w.verb(rng), w.some(rng, 8)}
	}
	return recipe{w.verb(rng), w.some(rng, 1+rng.IntN(3))}
}

func (w World) verb(rng *rand.Rand) string {
	if w.Distribution == Uniform {
		return verbs[rng.IntN(len(verbs))]
	}
	i, _ := slices.BinarySearch(zipf, rng.Float64()*zipf[len(zipf)-1])
	return verbs[i]
}

// some returns n different words that conditions are made of.
func (w World) some(rng *rand.Rand, n int) []string {
	var words []string
	for len(words) < n {
		if s := w.word(rng.IntN(w.vocabulary())); !slices.Contains(words, s) {
			words = append(words, s)
		}
	}
	return words
}

// vocabulary is the number of words that conditions are made of: each is in
// about four of them, however many norms there are.
func (w World) vocabulary() int {
	if w.Distribution == EightOf32 {
		return 32
	}
	return max(50, w.Size/2)
}

func (w World) word(i int) string {
	if w.Distribution == Colliding {
		return colliding(i)
	}
	return word(i)
}

// Norm returns norm number i.
func (w World) Norm(i int) Norm {
	r := w.recipe(i)
	n := Norm{Name: "norm-" + strconv.Itoa(i), Prohibited: r.verb}
	if i%10 == 0 {
		switch w.Feature {
		case Prefixed:
			r.words[0] = r.words[0][:4] + "*"
		case Qualified:
			for k := range r.words {
				r.words[k] = fieldOf(k) + ":" + r.words[k]
			}
		case OfAgents:
			r.words = append(r.words, "agent:"+agent(i))
		case Excepted:
			n.Unless = w.word(i % w.vocabulary())
		case Permitted:
			n.Prohibited, n.Permitted, n.Priority = "", r.verb, 1
		case Windowed:
			n.From = time.Unix(1, 0)
		case AnyOf:
			r.words[0] += "|" + w.word(i%w.vocabulary())
		case OfFacts:
			r.words[0] = "facts:" + r.words[0]
		}
	}
	n.Condition = strings.Join(r.words, " ")
	return n
}

func agent(i int) string { return "agent" + strconv.Itoa(i%1000) }

// fieldOf names the field where place puts word number k.
func fieldOf(k int) string {
	if k < 2 {
		return "location"
	}
	return "target"
}

// place makes an action: the first two words are the location, the third is
// the target, the fourth the faction. Further ones are in the location, too.
func place(i int, r recipe) Action {
	a := Action{Agent: agent(i), Verb: r.verb, Target: r.words[2], Faction: r.words[3]}
	a.Location = strings.Join(slices.Concat(r.words[:2], r.words[4:]), " ")
	return a
}

// Violating returns an action that breaks the prohibition number i.
func (w World) Violating(i int) Action {
	r := w.recipe(i)
	rng := rand.New(rand.NewPCG(2, uint64(i)))
	if w.Distribution == EightOf32 {
		for len(r.words) < 16 {
			if s := w.some(rng, 1)[0]; !slices.Contains(r.words, s) {
				r.words = append(r.words, s)
			}
		}
	}
	if len(r.words) < 4 {
		r.words = append(r.words, w.some(rng, 4-len(r.words))...)
	}
	a := place(i, r)
	if w.Feature == OfFacts && i%10 == 0 {
		a.Facts = r.words[0]
	}
	return a
}

// Action returns action number i: it has words of the world's own, at random.
// Some break norms.
func (w World) Action(i int) Action {
	rng := rand.New(rand.NewPCG(3, uint64(i)))
	switch w.Distribution {
	case OneVerb:
		return place(i, recipe{verbs[0], w.some(rng, 4)})
	case OneWord:
		return place(i, recipe{w.verb(rng), append(w.some(rng, 3), common)})
	case OnlyWord:
		return place(i, recipe{w.verb(rng), append(w.some(rng, 3), common)})
	case EightOf32:
		return place(i, recipe{w.verb(rng), w.some(rng, 16)})
	}
	return place(i, recipe{w.verb(rng), w.some(rng, 4)})
}

// Long returns an action whose location has so many bytes, all of them words
// of the world's own.
func (w World) Long(i, bytes int) Action {
	a := w.Action(i)
	rng := rand.New(rand.NewPCG(4, uint64(i)))
	var b strings.Builder
	for b.Len() < bytes {
		b.WriteString(w.word(rng.IntN(w.vocabulary())))
		b.WriteByte(' ')
	}
	a.Location = b.String()[:bytes]
	return a
}

// Words returns an action whose location has n words of the world's own.
func (w World) Words(i, n int) Action {
	a := w.Action(i)
	rng := rand.New(rand.NewPCG(5, uint64(i)))
	words := make([]string, n)
	for k := range words {
		words[k] = w.word(rng.IntN(w.vocabulary()))
	}
	a.Location, a.Target, a.Faction = strings.Join(words, " "), "", ""
	return a
}

var verbs = strings.Fields(`attack steal enter open build break trade speak kill use
	take drop eat drink cast burn heal hide follow lead
	gather mine chop fish plant harvest cook craft repair sell
	buy gift lend borrow vote judge arrest free exile banish
	marry adopt teach learn read write sing dance pray curse
	summon dispel climb swim fly ride jump crawl rest sleep`)

// zipf has the sums of 1, 1/2, 1/3, ...: verb number i is the ith most common.
var zipf = func() []float64 {
	sums, sum := make([]float64, len(verbs)), 0.0
	for i := range sums {
		sum += 1 / float64(i+1)
		sums[i] = sum
	}
	return sums
}()

// word returns word number i of a million: three syllables.
func word(i int) string {
	const consonants, vowels = "bcdfghjklmnpqrstvwxz", "aeiou"
	n := uint64(i) * 387_420_489 % 1_000_000 // has no factor in common with a million: neighbours look different
	var b [6]byte
	for k := 0; k < len(b); k += 2 {
		b[k], b[k+1] = consonants[n%20], vowels[n/20%5]
		n /= 100
	}
	return string(b[:])
}
