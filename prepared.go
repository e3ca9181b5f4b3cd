package normsync

import (
	"strings"
	"time"

	"github.com/normsync/normsync/internal/token"
)

// Word is one token of an action, split off, folded and hashed in advance. It is a
// small value without a pointer to anything but its text, so keep it in a
// component. The zero value is no word, and is ignored.
//
// A Word is valid in this process only, because hashes are keyed by a secret of the
// process. It does not depend on a constitution, so it stays valid when norms change.
type Word struct{ word token.Word }

// AppendWords splits text at white space, as a check does, appends its words to dst,
// and returns the extended slice. The words refer to text. AppendWords allocates nothing if dst has room and
// text has no invisible characters.
func AppendWords(dst []Word, text string) []Word {
	for tok, rest := token.Next(text); tok != ""; tok, rest = token.Next(rest) {
		dst = append(dst, Word{token.NewWord(tok)})
	}
	return dst
}

// String returns the text of the word.
func (w Word) String() string { return w.word.Text }

// Prepared is an action made of words. A check of it gives the same result as a check
// of the [Action] that it stands for, but does not split and hash its text again. Use
// it if the words of actions are known in advance: keep the words of a place, of a
// creature and of what holds now in their components, so that a tick only joins
// slices.
//
// A check does not keep a Prepared or its slices, so both can be reused for the next
// action. The texts of its words are kept by violations, as those of an Action are.
type Prepared struct {
	Agent, Verb, Location, Target, Faction, Facts []Word
	Metadata                                      string // see [Action]
	Time                                          time.Time
}

// Action returns the action that p stands for: each field has its words, joined by a
// blank. It allocates only if a field has several words.
func (p *Prepared) Action() Action {
	size := 0
	for _, words := range [...][]Word{p.Agent, p.Verb, p.Location, p.Target, p.Faction, p.Facts} {
		if len(words) > 1 {
			for i := range words {
				size += len(words[i].word.Text) + 1
			}
		}
	}
	var b strings.Builder
	b.Grow(size)
	join := func(words []Word) string {
		if len(words) == 0 {
			return ""
		}
		if len(words) == 1 {
			return words[0].word.Text
		}
		start := b.Len()
		for i := range words {
			if b.Len() > start && words[i].word.Text != "" {
				b.WriteByte(' ')
			}
			b.WriteString(words[i].word.Text)
		}
		return b.String()[start:]
	}
	return Action{
		Agent:    join(p.Agent),
		Verb:     join(p.Verb),
		Location: join(p.Location),
		Target:   join(p.Target),
		Faction:  join(p.Faction),
		Facts:    join(p.Facts),
		Metadata: p.Metadata,
		Time:     p.Time,
	}
}

// AppendCheckPrepared is [Constitution.AppendCheck] for a prepared action. The text of
// the action is made only if there is a violation; this is the only allocation
// while dst has room. It does not keep p.
func (c *Constitution) AppendCheckPrepared(dst []Violation, p *Prepared) []Violation {
	var found candidates
	if c.forbid.find(&found, subject{prepared: p}); found.n == 0 {
		return dst
	}
	return c.appendViolations(dst, &found, subject{prepared: p})
}

// AllowsPrepared is [Constitution.Allows] for a prepared action. It does not make the
// text of the action.
func (c *Constitution) AllowsPrepared(p *Prepared) bool {
	var found candidates
	if c.forbid.find(&found, subject{prepared: p}); found.n == 0 {
		return true
	}
	return !c.denies(&found, subject{prepared: p})
}
