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
	latest  outcomes       // of what came after from
	edition uint64
	last    time.Time // of the last revision
	tip     tip       // the last revision; whoever adds one moves it
}

// norm returns the norm in force of that name, if there is one, the last version
// of the name, and its outcome for push.
func (p *replay) norm(name string) (n Norm, version int, ok bool, last *outcome) {
	if last = p.latest.of(name); last != nil {
		return last.norm, last.version, !last.norm.Repealed, last
	}
	if n, version, ok = p.from.versioned(name); ok {
		return n, version, true, nil
	}
	return Norm{}, p.retired[name], false, nil
}

// add carries on with a revision that inOrder read from a store, when it
// moved the tip. It checks everything else that a constitution rests on: a log
// may have been written by other code, or by hand.
func (p *replay) add(r identified) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w log: edition %d (%s %q) %s", ErrInvalid, r.Edition, r.Kind, r.Norm.Name, fmt.Sprintf(format, args...))
	}
	_, version, ok, last := p.norm(r.Norm.Name)
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
		r.Norm.Scope = canonicalScope(r.Norm.Scope)
	}
	if r.Edition > 1 && instant(r.Time).Before(instant(p.last)) {
		return bad("is of %s, before its predecessor's %s: times never run backwards", r.Time.Format(time.RFC3339Nano), p.last.Format(time.RFC3339Nano))
	}
	p.push(r, last)
	return nil
}

// push carries on with a revision that is known to fit. The outcome is that of
// its name before it, which norm returns.
func (p *replay) push(r identified, last *outcome) {
	p.latest.put(r, last)
	p.edition, p.last = r.Edition, r.Time
}

// constitution returns the constitution after everything that was added. It
// compiles each name once, however many revisions the name has.
func (p *replay) constitution() *Constitution { return p.from.after(p.edition, &p.latest) }

// outcomes holds what the last revision of each name came to. Its memory grows
// with the number of names, not with that of revisions.
type outcomes struct {
	byName map[string]*outcome
	blocks [][]outcome // what byName points to; it never moves
}

// outcome is what the last revision of a name came to.
type outcome struct {
	norm    Norm // Repealed if it is not in force; then only its name is kept
	id      ID   // of norm
	version int
}

const outcomesPerBlock = 256

// put replaces last, the outcome of r's name, or adds one if last is nil.
func (o *outcomes) put(r identified, last *outcome) {
	next := outcome{r.Norm, r.normID, r.Version}
	if r.Kind == KindRepeal {
		next.norm = Norm{Name: r.Norm.Name, Repealed: true}
	}
	if last != nil {
		*last = next
		return
	}
	if o.byName == nil {
		o.byName = make(map[string]*outcome)
	}
	n := len(o.blocks) - 1
	if n < 0 || len(o.blocks[n]) == cap(o.blocks[n]) {
		n++
		o.blocks = append(o.blocks, make([]outcome, 0, min(1+len(o.byName), outcomesPerBlock)))
	}
	o.blocks[n] = append(o.blocks[n], next)
	o.byName[r.Norm.Name] = &o.blocks[n][len(o.blocks[n])-1]
}

// of returns the outcome of a name, nil if there is none.
func (o *outcomes) of(name string) *outcome { return o.byName[name] }

// len returns the number of names.
func (o *outcomes) len() int { return len(o.byName) }

// all yields the outcomes in the order in which their names were first put.
func (o *outcomes) all() iter.Seq[*outcome] {
	return func(yield func(*outcome) bool) {
		for _, block := range o.blocks {
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
