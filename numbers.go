package normsync

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/normsync/normsync/internal/strictjson"
	"github.com/normsync/normsync/internal/token"
)

// Threshold declares a fact that holds while From <= x < Below for a number x, such as
// an agent's health. A bound that is nil is left out; at least one is set.
type Threshold struct {
	Fact        string
	From, Below *float64
}

// Validate returns an error if t is not valid: if [Fact.Validate] refuses the name of its
// fact, if neither bound is set, if one is not a finite number, or if Below is not greater
// than From. The error wraps [ErrInvalid].
func (t Threshold) Validate() error {
	if problem := t.problem(); problem != "" {
		return fmt.Errorf("%w threshold %s: %s", ErrInvalid, quote(t.Fact), problem)
	}
	return nil
}

func (t Threshold) problem() string {
	if problem := factNameProblem(t.Fact); problem != "" {
		return "Fact: " + problem
	}
	if t.From == nil && t.Below == nil {
		return "From and Below are both missing; set one of them, or both"
	}
	for _, bound := range [...]struct {
		name  string
		value *float64
	}{{"From", t.From}, {"Below", t.Below}} {
		if bound.value != nil && (math.IsNaN(*bound.value) || math.IsInf(*bound.value, 0)) {
			return fmt.Sprintf("%s: %v is not a finite number; leave the bound out if there is none", bound.name, *bound.value)
		}
	}
	if t.From != nil && t.Below != nil && !(*t.From < *t.Below) {
		return fmt.Sprintf("Below: %v is not greater than From, %v, so that the fact can never hold; choose a greater number", *t.Below, *t.From)
	}
	return ""
}

// Numbers turns numbers into facts by a declared table, which keeps the thresholds beside
// the norms that use them. It is immutable, so any number of goroutines may use it.
type Numbers struct {
	table map[string][]compiledThreshold
}

type compiledThreshold struct {
	Threshold
	word Word
}

// NewNumbers returns the numbers of a table of thresholds by the name of the number, as in
// [Rules]. It fails with [ErrInvalid] if a name is empty, or if [Threshold.Validate] fails.
func NewNumbers(table map[string][]Threshold) (*Numbers, error) {
	if err := validateThresholds(table); err != nil {
		return nil, opError("new numbers", err)
	}
	n := &Numbers{make(map[string][]compiledThreshold, len(table))}
	for name, list := range table {
		for _, t := range list {
			n.table[name] = append(n.table[name], compiledThreshold{t.clone(), Word{token.NewWord(t.Fact)}})
		}
	}
	return n, nil
}

func (t Threshold) clone() Threshold {
	copied := func(p *float64) *float64 {
		if p == nil {
			return nil
		}
		x := *p
		return &x
	}
	return Threshold{t.Fact, copied(t.From), copied(t.Below)}
}

// AppendFacts appends the facts that hold for a value of the number with that name to
// dst, in the order of declaration, and returns the extended slice. It appends nothing for
// a NaN, or if no threshold of the number is declared. It allocates nothing while dst has room.
func (n *Numbers) AppendFacts(dst []Word, name string, value float64) []Word {
	list := n.table[name]
	for i := range list {
		if list[i].holds(value) {
			dst = append(dst, list[i].word)
		}
	}
	return dst
}

// Facts returns the facts that hold for a value of the number with that name, separated by
// blanks, as [Numbers.AppendFacts] does.
func (n *Numbers) Facts(name string, value float64) string {
	var b []byte
	for _, t := range n.table[name] {
		if t.holds(value) {
			if len(b) > 0 {
				b = append(b, ' ')
			}
			b = append(b, t.Fact...)
		}
	}
	return string(b)
}

// holds reports whether the fact holds for a number.
func (t Threshold) holds(x float64) bool {
	return !math.IsNaN(x) && (t.From == nil || x >= *t.From) && (t.Below == nil || x < *t.Below)
}

func validateThresholds(table map[string][]Threshold) error {
	for _, name := range slices.Sorted(maps.Keys(table)) {
		if problem := numberNameProblem(name); problem != "" {
			return fmt.Errorf("%w number %s: %s", ErrInvalid, quote(name), problem)
		}
		for i, t := range table[name] {
			if problem := t.problem(); problem != "" {
				return fmt.Errorf("%w number %s, threshold %d %s: %s", ErrInvalid, quote(name), i+1, quote(t.Fact), problem)
			}
		}
	}
	return nil
}

func numberNameProblem(name string) string {
	if isEmpty(name) {
		return "the name is empty; write the name by which the program knows the number, such as health"
	}
	return nameProblem(name, strict)
}

const (
	keyBelow = "below"
	keyFact  = "fact"
)

var thresholdKeys = strictjson.Keys{Unknown: strictjson.RejectUnknown, Known: []string{keyFact, keyFrom, keyBelow}, Required: []string{keyFact}}

// MarshalJSON returns t as an object with the key fact, and from and below if they are set.
// If a bound is not a finite number, the error wraps [ErrInvalid].
func (t Threshold) MarshalJSON() ([]byte, error) {
	b := appendText(nil, keyFact, t.Fact)
	for _, bound := range [...]struct {
		key   string
		value *float64
	}{{keyFrom, t.From}, {keyBelow, t.Below}} {
		if bound.value == nil {
			continue
		}
		if math.IsNaN(*bound.value) || math.IsInf(*bound.value, 0) {
			return nil, t.Validate()
		}
		b = strconv.AppendFloat(appendKey(b, bound.key), *bound.value, 'g', -1, 64)
	}
	return appendEnd(b, 0), nil
}

// UnmarshalJSON reads t as strictly as [Norm.UnmarshalJSON] reads a norm. The error wraps
// [ErrInvalid]; t is unchanged then. UnmarshalJSON does not call [Threshold.Validate], but
// [ReadRules] does.
func (t *Threshold) UnmarshalJSON(b []byte) error {
	return unmarshal("threshold", strictjson.NewDecoder(b), t, readThreshold)
}

func readThreshold(d *strictjson.Decoder) (t Threshold, err error) {
	err = d.ReadObject(&thresholdKeys, func(key string) (err error) {
		switch key {
		case keyFact:
			t.Fact, err = d.ReadString()
		case keyFrom:
			t.From, err = readFloat(d)
		case keyBelow:
			t.Below, err = readFloat(d)
		}
		return err
	})
	return t, err
}

func readFloat(d *strictjson.Decoder) (*float64, error) {
	at := d.NextOffset()
	text, err := d.ReadNumber()
	if err != nil {
		return nil, err
	}
	x, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return nil, d.Errorf(at, "%.40s is too large; choose a smaller number", text)
	}
	return &x, nil
}

// readNumbers reads an object of arrays of thresholds and validates them.
func readNumbers(d *strictjson.Decoder, text []byte) (map[string][]Threshold, error) {
	table := map[string][]Threshold{}
	err := d.ReadMap(func(name string, at int) error {
		if problem := numberNameProblem(name); problem != "" {
			return d.Errorf(at, "%s", problem)
		}
		if _, ok := table[name]; ok {
			return d.Errorf(at, "it is there twice; remove one of them")
		}
		list, err := readArray(d, text, readThreshold, Threshold.problem,
			func(number int, t Threshold) string {
				return fmt.Sprintf("number %s, threshold %d %s", quote(name), number, quote(t.Fact))
			})
		table[name] = list
		return err
	})
	return table, err
}
