package normsync

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/normsync/normsync/internal/token"
)

// MemoryOptions configures [NewMemory]. A nil *MemoryOptions means the defaults.
type MemoryOptions struct {
	Keys int // how many keys to remember at most; 0: 65536
}

const defaultKeys = 1 << 16

// MemoryStats counts the keys of a [Memory].
type MemoryStats struct {
	Keys    int    // keys that are remembered now
	Evicted uint64 // keys that were forgotten because there were too many
}

// Memory turns what happened into facts about the next action, as a list of [Fact]
// declares. For each action of a tick:
//
//  1. Add what holds for the action to its Facts, with AppendFacts or Facts.
//  2. Check the action.
//  3. Call Happened if it was carried out, and Violated with its violations.
//
// A norm sees every word of Facts, so do not let agents write the Facts of their actions:
// an agent could claim to be authenticated.
//
// A Memory reads no clock. An action counts at its own Time, so the same calls in the
// same order give the same facts again. Time does not go back: if an action is older
// than the last one that counted for the same fact and key, or ended it, it is judged,
// and counts, as if both were at the same time. An action without a Time is at January
// 1, 1970.
//
// Each fact is remembered by key: the values of the fields in Per, compared word by word,
// as norms compare words. If there are more keys than [MemoryOptions] allows, the key that
// has not acted for the longest time is forgotten, and counted. A key has acted if an
// action with it is passed to Happened or Violated. A fact whose Per is world has no key,
// and is never forgotten.
//
// Any number of goroutines may call any methods at the same time. Goroutines with
// different keys rarely wait for each other.
type Memory struct {
	facts   []memoryFact
	groups  []factGroup
	byName  map[string]int // index in facts, by folded name
	broke   map[string][]int
	broken  []brokenPrefix
	events  *Constitution // a norm for each After and Until
	sources []effect      // by slot of events
	reads   bool          // whether an event depends on the name of a fact
	keys    keyTable
}

// memoryFact is a fact that is declared.
type memoryFact struct {
	Fact         // canonical
	word  Word   // its name
	group int    // its index in groups
	at    int    // its index in the facts of the group
	ring  [2]int // where its times are in the times of a key
}

// factGroup has the facts with the same Per, which share a key.
type factGroup struct {
	per    string
	fields []token.Field // none: the world
	facts  []*memoryFact
	times  int // how many times a key of the group has
	seed   uint64
	world  *worldKey // not nil if Per is world
}

// effect is what an action or a violation does to a fact: it ends it, or counts for it.
type effect struct {
	fact *memoryFact
	ends bool
}

// brokenPrefix has the facts that count violations of norms whose names begin with text.
type brokenPrefix struct {
	text  string
	facts []int
}

// NewMemory returns an empty memory of the facts. It fails with [ErrInvalid] if
// [Fact.Validate] does, if two facts have the same name, if there are more than 1000, if
// a fact could never hold, because its After needs a fact that in turn needs it, and if
// o.Keys is negative. It does not keep the slice.
func NewMemory(facts []Fact, o *MemoryOptions) (*Memory, error) {
	if err := validateFacts(facts); err != nil {
		return nil, opError("new memory", err)
	}
	if o == nil {
		o = new(MemoryOptions)
	}
	if o.Keys < 0 {
		return nil, fmt.Errorf("%w memory: Keys: %d is negative; choose a positive number, or 0 for %d", ErrInvalid, o.Keys, defaultKeys)
	}
	m := &Memory{facts: make([]memoryFact, len(facts)), byName: map[string]int{}, broke: map[string][]int{}}
	m.keys.limit = int64(o.Keys)
	if o.Keys == 0 {
		m.keys.limit = defaultKeys
	}
	m.keys.init()
	for i, f := range facts {
		m.facts[i] = memoryFact{Fact: f.canonical(), word: Word{token.NewWord(f.Name)}}
		m.byName[token.Fold(f.Name)] = i
		m.addToGroup(&m.facts[i])
		m.addBroke(i)
	}
	for i := range m.groups {
		if g := &m.groups[i]; len(g.fields) == 0 {
			g.world = newWorldKey(g)
		}
	}
	return m, m.compileEvents()
}

// addToGroup puts a fact into the group of its Per.
func (m *Memory) addToGroup(f *memoryFact) {
	i := slices.IndexFunc(m.groups, func(g factGroup) bool { return g.per == f.Per })
	if i < 0 {
		i = len(m.groups)
		g := factGroup{per: f.Per, seed: uint64(i+1) * keyMultiplier}
		for _, word := range strings.Fields(f.Per) {
			if k := perField(word); k >= 0 {
				g.fields = append(g.fields, perFields[k].field)
			}
		}
		m.groups = append(m.groups, g)
	}
	g := &m.groups[i]
	f.group, f.at = i, len(g.facts)
	size := 1 // only the last time counts
	if f.Within > 0 {
		size = f.Count
	}
	f.ring = [2]int{g.times, g.times + size}
	g.times += size
	g.facts = append(g.facts, f)
}

// addBroke notes the norms whose violations count for a fact.
func (m *Memory) addBroke(fact int) {
	for name := range brokeNames(m.facts[fact].Broke) {
		if !name.prefix {
			if !slices.Contains(m.broke[name.text], fact) {
				m.broke[name.text] = append(m.broke[name.text], fact)
			}
			continue
		}
		i := slices.IndexFunc(m.broken, func(p brokenPrefix) bool { return p.text == name.text })
		if i < 0 {
			i = len(m.broken)
			m.broken = append(m.broken, brokenPrefix{text: name.text})
		}
		m.broken[i].facts = append(m.broken[i].facts, fact)
	}
}

// compileEvents makes a norm of each After and Until, so that the index finds those
// that match an action.
func (m *Memory) compileEvents() error {
	var norms []Norm
	sources := map[string]effect{}
	for i := range m.facts {
		f := &m.facts[i]
		for _, ends := range []bool{false, true} {
			text := f.After
			if ends {
				text = f.Until
			}
			if isEmpty(text) {
				continue
			}
			n := Norm{Name: fmt.Sprint(len(norms)), Condition: text, Prohibited: "*"}
			norms = append(norms, n)
			sources[n.Name] = effect{f, ends}
			m.reads = m.reads || m.readsFacts(text)
		}
	}
	events, err := Compile(norms...)
	if err != nil {
		return opError("new memory", err)
	}
	m.events = events
	m.sources = make([]effect, len(norms))
	for slot := range events.norms.all() {
		m.sources[slot] = sources[events.norms.at(slot).name()]
	}
	return nil
}

// readsFacts reports whether a token of text can match the name of a fact.
func (m *Memory) readsFacts(text string) bool {
	for tok := range token.All(text) {
		for p, more := token.Parse(tok); ; p, more = p.Or(more) {
			for i := range m.facts {
				if (p.Field == token.Facts || p.Field == token.Any) && p.Matches(m.facts[i].Name) {
					return true
				}
			}
			if more == "" {
				break
			}
		}
	}
	return false
}

// AppendFacts appends the facts that hold for an action at its Time to dst, and returns the
// extended slice. It allocates nothing while dst has room. The usual dst is a slice
// of the action's own, into which the facts that the host knows were copied: a slice that
// several actions share must not be extended, since they would overwrite each other's
// facts. The order is always the same: by Per, then in the order of declaration.
func (m *Memory) AppendFacts(dst []Word, p *Prepared) []Word {
	for i := range m.groups {
		g := &m.groups[i]
		if g.world != nil {
			dst = g.world.appendFacts(dst, g, momentOf(p.Time))
			continue
		}
		hash := g.hash(p)
		s := m.keys.shard(hash)
		s.mu.RLock()
		if k := s.find(g, hash, p); k != nil {
			at := momentOf(p.Time)
			for j := range k.states {
				if k.states[j].holds(at) {
					dst = append(dst, g.facts[j].word)
				}
			}
		}
		s.mu.RUnlock()
	}
	return dst
}

// Facts returns the facts that hold for an action at its Time, separated by blanks, as
// [Memory.AppendFacts] does.
func (m *Memory) Facts(a Action) string {
	if len(m.facts) == 0 {
		return ""
	}
	s := toPrepared(&a)
	defer s.free()
	s.facts = m.AppendFacts(s.facts[:0], &s.p)
	switch len(s.facts) {
	case 0:
		return ""
	case 1:
		return s.facts[0].String()
	}
	var b strings.Builder
	for i, w := range s.facts {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w.String())
	}
	return b.String()
}

// Happened tells the memory that an action was carried out: it counts for the facts whose
// After it matches, and ends those whose Until it matches. If it matches both of a fact, it
// ends the fact first, and then counts. An action without a verb does nothing, since it
// matches no condition.
//
// After and Until see the facts of the memory as they were before the action, whether or
// not its Facts has them: words of Facts that are names of the memory's facts are ignored,
// and the names of those that hold are added. So the order of the declarations does not
// matter.
//
// Happened allocates memory for a new key, until there are as many keys as there may be,
// and nothing else.
func (m *Memory) Happened(a Action) {
	if len(m.facts) == 0 {
		return
	}
	s := toPrepared(&a)
	m.HappenedPrepared(&s.p)
	s.free()
}

// HappenedPrepared is [Memory.Happened] for a prepared action. It keeps the texts of words,
// but not p.
func (m *Memory) HappenedPrepared(p *Prepared) {
	if len(m.facts) == 0 {
		return
	}
	s := preparedPool.Get().(*preparedAction)
	q := p
	if m.reads {
		q = &s.q
		*q = *p
		s.facts = m.AppendFacts(s.facts[:0], p)
		for i := range p.Facts {
			if _, ok := m.named(&p.Facts[i]); !ok {
				s.facts = append(s.facts, p.Facts[i])
			}
		}
		q.Facts = s.facts
	}
	var found candidates
	m.events.forbid.find(&found, subject{prepared: q})
	var slots []uint32
	var rest *scratch
	if found.n != 0 {
		slots, rest = m.events.violated(&found, subject{prepared: q})
	}
	for _, ends := range [...]bool{true, false} {
		for _, slot := range slots {
			if e := m.sources[slot]; e.ends == ends {
				s.effects = append(s.effects, e)
			}
		}
	}
	m.change(p, s.effects)
	rest.free()
	s.free()
}

// named returns the index of the fact whose name is a word.
func (m *Memory) named(w *Word) (int, bool) {
	for i := range m.facts {
		f := &m.facts[i]
		if f.word.word.Hash == w.word.Hash && token.Equal(f.Name, w.word.Visible()) {
			return i, true
		}
	}
	return 0, false
}

// Violated tells the memory of violations: each counts for the facts that name its norm
// in Broke, at the time of its action. Violations of Shadow norms do not count, since a dry
// run must have no effect.
func (m *Memory) Violated(vs ...Violation) {
	if len(m.facts) == 0 {
		return
	}
	for i := range vs {
		if v := &vs[i]; !v.Shadow {
			s := toPrepared(&v.Action)
			m.appendBroke(s, v.NormName)
			m.change(&s.p, s.effects)
			s.free()
		}
	}
}

// appendBroke appends the facts for which a violation of a norm counts.
func (m *Memory) appendBroke(s *preparedAction, norm string) {
	for _, fact := range m.broke[norm] {
		s.effects = append(s.effects, effect{fact: &m.facts[fact]})
	}
	for _, p := range m.broken {
		if !strings.HasPrefix(norm, p.text) {
			continue
		}
		for _, fact := range p.facts {
			e := effect{fact: &m.facts[fact]}
			if !slices.Contains(s.effects, e) {
				s.effects = append(s.effects, e)
			}
		}
	}
}

// ReplayViolations tells the memory of stored violations, for example after a restart.
// The sequence is the result of [QueryViolations], or of the method Violations of a
// [Store], oldest first. ReplayViolations stops at the first error of the sequence, and
// returns it, with the number of the last violation that it told the memory of.
//
// A violation counts again if the memory has seen it before. So replay into a new memory,
// or after [Memory.Restore] only what is newer than the snapshot.
func (m *Memory) ReplayViolations(violations iter.Seq2[StoredViolation, error]) (last uint64, err error) {
	for v, err := range violations {
		if err != nil {
			return last, opError("replay violations", err)
		}
		m.Violated(v.Violation)
		last = v.Number
	}
	return last, nil
}

// Stats returns the current counts.
func (m *Memory) Stats() MemoryStats {
	return MemoryStats{Keys: int(m.keys.size.Load()), Evicted: m.keys.evicted.Load()}
}

// All returns an iterator over the facts in the order of declaration, each with its Count
// and its Per.
func (m *Memory) All() iter.Seq[Fact] {
	return func(yield func(Fact) bool) {
		for i := range m.facts {
			if !yield(m.facts[i].Fact) {
				return
			}
		}
	}
}

// change carries out the effects of an action, in this order.
func (m *Memory) change(p *Prepared, effects []effect) {
	at := momentOf(p.Time)
	stamp := m.keys.stamps(len(m.groups))
	for i := range m.groups {
		g := &m.groups[i]
		touched, counts := false, false
		for _, e := range effects {
			if e.fact.group == i {
				touched, counts = true, counts || !e.ends
			}
		}
		if g.world != nil {
			if touched {
				g.world.update(func(k *memoryKey) { k.change(i, at, effects) })
			}
			continue
		}
		hash := g.hash(p)
		s, k := m.keys.lock(g, hash, p, stamp+uint64(i), counts)
		if k == nil {
			continue
		}
		if touched {
			k.change(i, at, effects)
		}
		s.mu.Unlock()
	}
}

// preparedAction is the memory for preparing an action. It is pooled.
type preparedAction struct {
	p, q    Prepared
	words   []Word
	facts   []Word
	effects []effect
}

var preparedPool = sync.Pool{New: func() any { return new(preparedAction) }}

// toPrepared splits and hashes the texts of an action. The caller must free the result.
func toPrepared(a *Action) *preparedAction {
	s := preparedPool.Get().(*preparedAction)
	words := s.words[:0]
	var ends [token.Any]int
	for f, text := range [token.Any]string{
		token.Action: a.Verb, token.Location: a.Location, token.Target: a.Target, token.Faction: a.Faction, token.Facts: a.Facts, token.Agent: a.Agent,
	} {
		words = AppendWords(words, text)
		ends[f] = len(words)
	}
	s.words = words
	field := func(f token.Field) []Word {
		start := 0
		if f > 0 {
			start = ends[f-1]
		}
		return words[start:ends[f]:ends[f]]
	}
	s.p = Prepared{
		Verb: field(token.Action), Location: field(token.Location), Target: field(token.Target), Faction: field(token.Faction),
		Facts: field(token.Facts), Agent: field(token.Agent), Time: a.Time,
	}
	return s
}

// free returns s to the pool, unless it is very large.
func (s *preparedAction) free() {
	if cap(s.words) > maxPooledTokens || cap(s.facts) > maxPooledTokens {
		return
	}
	clear(s.words)
	clear(s.facts)
	clear(s.effects)
	s.p, s.q, s.words, s.facts, s.effects = Prepared{}, Prepared{}, s.words[:0], s.facts[:0], s.effects[:0]
	preparedPool.Put(s)
}

// words returns the words of a field.
func (p *Prepared) words(f token.Field) []Word {
	return [...][]Word{
		token.Action: p.Verb, token.Location: p.Location, token.Target: p.Target, token.Faction: p.Faction, token.Facts: p.Facts, token.Agent: p.Agent,
	}[f]
}

// moment is a time of an action, in seconds and nanoseconds since 1970.
type moment struct {
	sec  int64
	nsec int32
}

func momentOf(t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	return moment{t.Unix(), int32(t.Nanosecond())}
}

func (m moment) before(o moment) bool { return m.sec < o.sec || m.sec == o.sec && m.nsec < o.nsec }
