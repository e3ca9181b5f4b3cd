package mcpserver

import (
	"encoding/json"
	"iter"

	"github.com/google/jsonschema-go/jsonschema"
)

const (
	defaultLimit = 50
	maxLimit     = 500

	// maxPage limits the JSON of the records in one result, in bytes: assistants
	// have little room for results.
	maxPage = 64 << 10
)

// page collects the records of one result, up to a number of records and a number
// of bytes.
type page[T any] struct {
	records []T
	limit   int
	bytes   int
	more    bool // there are more records than these
}

func newPage[T any](limit int) *page[T] {
	if limit == 0 {
		limit = defaultLimit
	}
	return &page[T]{records: []T{}, limit: limit}
}

// add adds a record, and reports whether there was room for it. There is always room
// for one record, so a client that asks for page after page reaches the end.
func (p *page[T]) add(record T) (bool, error) {
	text, err := json.Marshal(record)
	if err != nil {
		return false, err
	}
	if len(p.records) == p.limit || len(p.records) > 0 && p.bytes+len(text) > maxPage {
		p.more = true
		return false, nil
	}
	p.bytes += len(text)
	p.records = append(p.records, record)
	return true, nil
}

// addAll adds records until there is no room.
func (p *page[T]) addAll(records iter.Seq[T]) error {
	for record := range records {
		if ok, err := p.add(record); !ok || err != nil {
			return err
		}
	}
	return nil
}

// tuneLimit sets the bounds of the argument limit.
func tuneLimit(properties map[string]*jsonschema.Schema) {
	between(properties["limit"], 1, maxLimit)
}
