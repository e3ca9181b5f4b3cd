package normsync

import (
	"fmt"
	"time"
)

// emptyConstitution is the empty constitution.
var emptyConstitution = new(Constitution)

// fold is what a log of revisions adds up to, step by step. Its users are At
// and AtEdition, which throw it away, and the Monitor, which starts one from
// what it has, and takes it over only when nothing failed.
type fold struct {
	c       *Constitution  // up to pending
	pending []Revision     // checked, and not yet in c
	latest  map[string]int // by name, where in pending its last revision is
	tip     tip            // the last revision; who adds one moves it
	last    time.Time      // of the last revision

	// The last versions of names that are not in force: what this fold found
	// out, where 0 says that the name is in force again, and what was known
	// before it, which is only read.
	retired, retiredBefore map[string]int
}

// edition is that of the last revision.
func (f *fold) edition() uint64 { return f.c.Edition() + uint64(len(f.pending)) }

// norm returns the norm in force of that name, if there is one, and the last
// version of the name.
func (f *fold) norm(name string) (n Norm, version int, ok bool) {
	if i, found := f.latest[name]; found {
		r := &f.pending[i]
		return r.Norm, r.Version, r.Kind != KindRepeal
	}
	if n, ok = f.c.Norm(name); ok {
		return n, f.c.version(name), true
	}
	version, found := f.retired[name]
	if !found {
		version = f.retiredBefore[name]
	}
	return Norm{}, version, false
}

// add carries on with a revision that inOrder read from a store, when it
// moved the tip. It checks everything else that a constitution rests on: a log
// may have been written by other code, or by hand.
func (f *fold) add(r Revision) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w log: edition %d (%s %q) %s", ErrInvalid, r.Edition, r.Kind, r.Norm.Name, fmt.Sprintf(format, args...))
	}
	_, version, ok := f.norm(r.Norm.Name)
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
	if f.edition() > 0 && instant(r.Time).Before(instant(f.last)) {
		return bad("is of %s, before its predecessor's %s: times never run backwards", r.Time.Format(time.RFC3339Nano), f.last.Format(time.RFC3339Nano))
	}
	f.push(r)
	if len(f.pending) >= max(1<<12, f.c.Len()) {
		f.settle() // so that memory does not grow with the log
	}
	return nil
}

// push carries on with a revision that is known to fit.
func (f *fold) push(r Revision) {
	if f.latest == nil {
		f.latest = make(map[string]int)
	}
	f.latest[r.Norm.Name] = len(f.pending)
	f.pending = append(f.pending, r)
	f.last = r.Time
}

// settle returns the constitution after everything that was added.
func (f *fold) settle() *Constitution {
	if len(f.pending) == 0 {
		return f.c
	}
	f.c = f.c.after(f.pending)
	if f.retired == nil {
		f.retired = make(map[string]int)
	}
	for name, i := range f.latest {
		if r := &f.pending[i]; r.Kind == KindRepeal {
			f.retired[name] = r.Version
		} else if f.retired[name] != 0 || f.retiredBefore[name] != 0 {
			f.retired[name] = 0
		}
	}
	f.pending = nil
	clear(f.latest)
	return f.c
}

// instant is t with the zero time as what it stands for in a store: 1970.
func instant(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0)
	}
	return t
}
