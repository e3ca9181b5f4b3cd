package normsync

import (
	"fmt"
	"iter"
	"time"
)

// emptyConstitution is the empty constitution.
var emptyConstitution = new(Constitution)

// A replay carries a constitution on through a log of revisions. At and
// AtEdition replay from the empty constitution. A Monitor replays on top of its
// current state and commits the result only on success.
type replay struct {
	from    *Constitution
	retired map[string]int // last versions of names that are not in force in from; only read
	latest  lastRevisions  // after from
	edition uint64
	last    time.Time // of the last revision
	tip     tip       // the last revision; whoever adds one moves it
}

// norm returns the norm in force of that name, if there is one, and the last
// version of the name.
func (p *replay) norm(name string) (n Norm, version int, ok bool) {
	if r := p.latest.of(name); r != nil {
		return r.Norm, r.Version, r.Kind != KindRepeal
	}
	if n, version, ok = p.from.versioned(name); ok {
		return n, version, true
	}
	return Norm{}, p.retired[name], false
}

// add carries on with a revision that inOrder read from a store, when it
// moved the tip. It checks everything else that a constitution rests on: a log
// may have been written by other code, or by hand.
func (p *replay) add(r Revision) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w log: edition %d (%s %q) %s", ErrInvalid, r.Edition, r.Kind, r.Norm.Name, fmt.Sprintf(format, args...))
	}
	_, version, ok := p.norm(r.Norm.Name)
	switch r.Kind {
	case KindAdd:
		if ok {
			return bad("adds a norm of a name that is in force")
		}
	case KindModify, KindRepeal:
		if !ok {
			return bad("is about a name that is not in force")
		}
	default:
		return bad("is of no known kind: kinds are add, modify and repeal")
	}
	if r.Version != version+1 {
		return bad("has version %d after version %d", r.Version, version)
	}
	if r.Kind != KindRepeal {
		if r.Norm.Repealed {
			return bad("puts a norm in force that is marked as repealed")
		}
		if err := r.Norm.validateStored(); err != nil {
			return fmt.Errorf("%w (edition %d of the log)", err, r.Edition)
		}
		r.Norm = r.Norm.normal()
	}
	if r.Edition > 1 && instant(r.Time).Before(instant(p.last)) {
		return bad("is of %s, before its predecessor's %s: times never run backwards", r.Time.Format(time.RFC3339Nano), p.last.Format(time.RFC3339Nano))
	}
	p.push(r)
	return nil
}

// push carries on with a revision that is known to fit.
func (p *replay) push(r Revision) {
	p.latest.put(r)
	p.edition, p.last = r.Edition, r.Time
}

// constitution returns the constitution after everything that was added. It
// compiles each name once, however many revisions the name has.
func (p *replay) constitution() *Constitution { return p.from.after(p.edition, &p.latest) }

// lastRevisions holds the last revision of each name. Its memory grows with the
// number of names, not with that of revisions.
type lastRevisions struct {
	byName map[string]*Revision
	blocks [][]Revision // what byName points to; blocks never move
}

const lastRevisionsBlock = 256

// put replaces the revision of r's name, if there is one. It keeps what a
// constitution is made of: the norm, which a repeal needs no more, and its version.
func (l *lastRevisions) put(r Revision) {
	kept := Revision{Version: r.Version, Change: Change{Kind: r.Kind, Norm: r.Norm}}
	if r.Kind == KindRepeal {
		kept.Norm = Norm{Name: r.Norm.Name}
	}
	if last := l.byName[r.Norm.Name]; last != nil {
		*last = kept
		return
	}
	if l.byName == nil {
		l.byName = make(map[string]*Revision)
	}
	n := len(l.blocks) - 1
	if n < 0 || len(l.blocks[n]) == cap(l.blocks[n]) {
		n++
		l.blocks = append(l.blocks, make([]Revision, 0, min(1+len(l.byName), lastRevisionsBlock)))
	}
	l.blocks[n] = append(l.blocks[n], kept)
	l.byName[r.Norm.Name] = &l.blocks[n][len(l.blocks[n])-1]
}

// of returns the last revision of a name, nil if there is none.
func (l *lastRevisions) of(name string) *Revision { return l.byName[name] }

// len returns the number of names.
func (l *lastRevisions) len() int { return len(l.byName) }

// all yields the revisions in the order in which their names were first put.
func (l *lastRevisions) all() iter.Seq[*Revision] {
	return func(yield func(*Revision) bool) {
		for _, block := range l.blocks {
			for i := range block {
				if !yield(&block[i]) {
					return
				}
			}
		}
	}
}

// instant is t with the zero time as what it stands for in a store: 1970.
func instant(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0)
	}
	return t
}
