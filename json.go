package normsync

// Stand-ins until the values are written.

// stored returns the value as a store keeps it: times in UTC without a monotonic reading, invalid UTF-8 replaced by U+FFFD,
// metadata compacted. It refuses with ErrInvalid metadata that is not JSON.
func (a Action) stored() (Action, error)       { return a, nil }
func (v Violation) stored() (Violation, error) { return v, nil }
func (r Revision) stored() (Revision, error)   { return r, nil }

// appendJSON appends the value's JSON, as MarshalJSON writes it.
func (v Violation) appendJSON(b []byte) ([]byte, error) { panic("not yet") }
func (r Revision) appendJSON(b []byte) ([]byte, error)  { panic("not yet") }
