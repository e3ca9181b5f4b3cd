package normsync

import (
	"context"
	"iter"

	"github.com/normsync/normsync/internal/journal"
)

// What the tests, which are in package normsync_test, use of the internals.

const (
	MaxWindows = maxWindows // the most windows that Lint compares
	MaxBatch   = maxBatch   // the most violations that a Recorder appends at once
	FirstBlock = firstBlock // how many violations a query reads first at the end of a log
	LeastUnits = leastUnits // what one question about a norm may cost at least
	Questions  = questions  // how many questions about a norm Conflicts asks
)

// The keys of JSON objects.
var (
	NormKeys      = normKeys.Known
	ActionKeys    = actionKeys.Known
	ViolationKeys = violationKeys.Known
	RevisionKeys  = revisionKeys.Known
	FactKeys      = factKeys.Known
	ThresholdKeys = thresholdKeys.Known
	RuleKeys      = ruleKeys.Known
)

// Functions that have a definition of their own, which a test compares them with.
var (
	WilsonLowerBound = wilsonLowerBound
	StoredEdition    = storedEdition
	FileLogs         = fileLogs
	AppendRevisions  = appendRevisions // reads a line of revisions
	Identify         = identify
)

// What TestStore tests with.
var (
	TestStoreWithin = testStore       // TestStore with another time limit
	SampleRevisions = sampleRevisions // revisions that every store takes
)

// StoreRules returns the words of the rules of a Store.
func StoreRules() (words []string) {
	for _, rule := range storeRules {
		words = append(words, rule.words)
	}
	return words
}

// AppendJSON is MarshalJSON into memory that is there already.

func (v Violation) AppendJSON(b []byte) ([]byte, error) { return v.appendJSON(b) }
func (r Revision) AppendJSON(b []byte) []byte           { return identify(r).appendJSON(b) }

// Probes returns the number of index entries that a check reads. It stands for the
// cost of the check, so that no test depends on time.
func (c *Constitution) Probes(a Action) (n int) {
	_, keys, verbs := c.forbid.features.grownKeys(nil, subject{action: &a})
	for _, key := range keys {
		n += c.forbid.clauses.Probed(key, verbs)
	}
	return n
}

// Candidates returns how many norms a check of a long action compares with its text.
func (c *Constitution) Candidates(a Action) int {
	var m scratch
	slots := m.findCandidates(nil, &c.forbid, subject{action: &a})
	return len(c.withMarks(slots, m.keys))
}

// Successor returns the constitution after a revision that is known to fit.
func (c *Constitution) Successor(r Revision) *Constitution {
	p := replay{from: c}
	p.push(identify(r), nil)
	return p.constitution()
}

// SearchConflicts is FindConflicts with another budget for each question, unless
// units is 0. It returns the work that was done, too.
func SearchConflicts(norms []Norm, units int) (found []Conflict, gaveUp map[string]bool, work int, err error) {
	f, err := newFinder(norms)
	if err != nil {
		return nil, nil, 0, err
	}
	if units > 0 {
		f.units = units
	}
	f.search()
	return f.found, f.gaveUp, f.work, nil
}

// TallyOfBad counts actions that all violate a norm. It returns the words of memory
// that it takes to remember them, and how many violating actions the first half has.
func TallyOfBad(actions int) (words, firstHalf int) {
	t := &tally{Compliance: Compliance{ByNorm: map[string]int{}}}
	for range actions {
		t.add([]Violation{{NormName: "peace"}})
	}
	return len(t.bad), t.badBefore(actions / 2)
}

// SameKey reports whether the first fact has one key for both actions, compared
// without hashes, and whether another fact with the same key fields would share it.
func (m *Memory) SameKey(a, b *Prepared) (same, shared bool) {
	var k memoryKey
	k.reset(&m.groups[0])
	k.setWords(a)
	return k.is(&m.groups[0], b), k.is(&factGroup{fields: m.groups[0].fields}, a)
}

// PutTwice lets two goroutines insert the key that an action has for the first fact, both
// of which have found that it is missing. It reports whether both got the same key.
func (m *Memory) PutTwice(p *Prepared) bool {
	g := &m.groups[0]
	var keys [2]*memoryKey
	for i, fresh := range [...]*memoryKey{m.keys.reserve(), m.keys.reserve()} {
		s, k := m.keys.put(fresh, g, g.hash(p), p, m.keys.stamps(1))
		s.mu.Unlock()
		keys[i] = k
	}
	return keys[0] == keys[1]
}

// Retired returns the last versions of names that are not in force.
func (m *Monitor) Retired() any { return m.retired }

// Room returns how many violations the blocks of a store have room for.
func (s *MemStore) Room() (room int) {
	for b := s.oldest; b != nil; b = b.next {
		room += len(b.vs)
	}
	return room
}

// AppendApplies appends the revisions of several Applies with one fsync.
func (s *FileStore) AppendApplies(ctx context.Context, applies ...[]Revision) error {
	entries := make([]journal.Entry, len(applies))
	for i, revs := range applies {
		text := []byte{'['}
		for j, r := range revs {
			if j > 0 {
				text = append(text, ',')
			}
			text = identify(r).appendJSON(text)
		}
		entries[i] = journal.Entry{Count: len(revs), JSON: append(text, ']')}
	}
	return s.revisions.Append(ctx, 0, entries...)
}

// From is QueryViolations on a store of which the caller counts the reads.
func (q ViolationQuery) From(ctx context.Context, read func(ctx context.Context, after uint64) iter.Seq2[StoredViolation, error], bounds func() (first, last uint64, err error)) iter.Seq2[StoredViolation, error] {
	return q.from(ctx, read, bounds)
}

// Spare returns the empty batches that r keeps for reuse.
func (r *Recorder) Spare() (batches [][]Violation) {
	for b := r.spare; b != nil; b = b.next {
		batches = append(batches, b.vs)
	}
	return batches
}
