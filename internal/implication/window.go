package implication

import "time"

// Window holds the times of the actions that a norm can apply to. It has a time t
// if From <= t < Until. The zero value of either is no bound.
type Window struct {
	From, Until time.Time
	Untimed     bool // whether an action without a time is within the window
}

// Contains reports whether w has everything that o has.
func (w Window) Contains(o Window) bool {
	return (w.Untimed || !o.Untimed) && (!o.timed() || w.reaches(o))
}

func (w Window) reaches(o Window) bool {
	from := w.From.IsZero() || !o.From.IsZero() && !o.From.Before(w.From)
	until := w.Until.IsZero() || !o.Until.IsZero() && !o.Until.After(w.Until)
	return from && until
}

// timed reports whether w has any time.
func (w Window) timed() bool { return w.Until.IsZero() || w.From.IsZero() || w.From.Before(w.Until) }

// And returns what both w and o have.
func (w Window) And(o Window) Window {
	if w.From.IsZero() || o.From.After(w.From) {
		w.From = o.From
	}
	if w.Until.IsZero() || !o.Until.IsZero() && o.Until.Before(w.Until) {
		w.Until = o.Until
	}
	w.Untimed = w.Untimed && o.Untimed
	return w
}

// Meets reports whether there is an action that both w and o contain.
func (w Window) Meets(o Window) bool {
	both := w.And(o)
	return both.Untimed || both.timed()
}

// has reports whether w contains an action at a time, or an action without a time if
// the time is zero.
func (w Window) has(at time.Time) bool {
	switch {
	case at.IsZero():
		return w.Untimed
	case w.From.IsZero() && w.Until.IsZero():
		return true
	}
	return (w.From.IsZero() || !at.Before(w.From)) && (w.Until.IsZero() || at.Before(w.Until))
}

// Times returns a few times within w, with the simplest first: none at all, the
// first one, the last one. There are none if w is empty.
func (w Window) Times() (times []time.Time) {
	if w.Untimed {
		times = append(times, time.Time{})
	}
	if !w.timed() {
		return times
	}
	if !w.From.IsZero() {
		times = append(times, w.From.UTC())
	}
	if last := w.Until.Add(-1).UTC(); !w.Until.IsZero() && !last.Equal(w.From) {
		times = append(times, last)
	}
	return times
}

// appendKey appends a text that is the same for windows with the same bounds.
func (w Window) appendKey(key []byte) []byte {
	for _, t := range []time.Time{w.From, w.Until} {
		if !t.IsZero() {
			key = t.UTC().AppendFormat(key, time.RFC3339Nano)
		}
		key = append(key, '\n')
	}
	return key
}
