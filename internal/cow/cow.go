// Package cow has the rule by which the persistent structures of this module
// share memory (copy-on-write).
//
// A persistent structure is immutable: an index, a set of norms, a whole
// constitution. It consists of parts, such as pages, that its versions share. A
// transaction makes a new version of it:
//
//	txn := s.Txn() // begins a transaction
//	txn.Insert(x)  // changes the new version only
//	t := txn.Commit()
//
// Each part records the transaction that made it, its [Owner]. A transaction
// writes to the parts that it owns, and copies any other part before it writes
// to it. After Commit the transaction must not be used any more, so that a part
// is never written to again. The time and the memory of a transaction are
// therefore proportional to the parts that it touches, plus the list of parts.
package cow

// Owner identifies a transaction. Parts of structures are compared with it by
// pointer. It holds no reference, so that a part does not keep alive the
// transaction that made it.
type Owner struct{ _ byte } // not empty: pointers to distinct empty variables may be equal

// NewOwner returns the identity of a new transaction.
func NewOwner() *Owner { return new(Owner) }
