package normsync

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/normsync/normsync/internal/cow"
	"github.com/normsync/normsync/internal/index"
	"github.com/normsync/normsync/internal/token"
)

// normPage holds the norms of perPage slots.
type normPage struct {
	owner *cow.Owner
	norms [perPage]packedNorm
}

const (
	perPage   = 63
	shortSize = 48      // so that a packedNorm takes 128 bytes
	packBytes = 4 << 10 // the size of the strings that pack makes
)

// A normPage fits into 8 KiB, which is a size class of the allocator. The allocator
// uses 8 bytes of these.
const _ = uint(8<<10 - 8 - unsafe.Sizeof(normPage{}))

// packedNorm is a norm in force. A check among many norms waits for memory most of the
// time. So what it reads of a norm is in one place, unless the texts that it compares are
// long. The zero value is an empty slot.
//
// On 64-bit platforms the first 112 bytes are in two lines of a cache. A check reads the
// fields behind short and severity only if there are several candidates.
type packedNorm struct {
	long     string            // the texts that are not in short, in a row; then From and Until, if window is set
	ends     [textCount]uint32 // where each text would end if all were in a row
	shadow   bool
	permit   bool // the verbs are those of Permitted
	window   bool // From or Until is set
	plain    bool // Condition, Unless and the verbs have only plain words
	id       ID
	short    [shortSize]byte // the texts that a check compares, if it has room for all three
	severity uint8           // the index in severities
	marks    index.Marks     // of the words of Condition, if plain is set
	version  uint32
	priority int
}

const _ = uint(112 - unsafe.Offsetof(packedNorm{}.marks))

// The texts of a norm, in the order in which a packedNorm has them.
const (
	textCondition = iota
	textVerbs
	textUnless // the last that a check compares
	textName
	textAdvice
	textScope
	textDescription
	textCount
)

var severities = [...]Severity{"", SeverityInfo, SeverityWarn, SeverityError}

// put puts a norm, which must be valid, into a slot of the page.
func (p *normPage) put(slot uint32, n *Norm, m normMeta) {
	packed := packedNorm{
		shadow:   n.Shadow,
		permit:   n.Permitted != "",
		window:   !n.From.IsZero() || !n.Until.IsZero(),
		plain:    token.IsPlain(n.Condition) && token.IsPlain(n.Unless) && token.IsPlain(n.verbs()),
		id:       m.id,
		severity: uint8(max(0, slices.Index(severities[:], n.Severity))),
		version:  m.version,
		priority: n.Priority,
	}
	if packed.plain {
		var hashes [maxTokens]uint64
		packed.marks = index.MarksOf(hashes[:token.Hashes(hashes[:], 0, n.Condition)])
	}
	end := 0
	for i, text := range [textCount]string{n.Condition, n.verbs(), n.Unless, n.Name, n.Advice, n.Scope, n.Description} {
		end += len(text)
		packed.ends[i] = uint32(end)
	}
	packed.long = n.Name + n.Advice + n.Scope + n.Description // no copy if only the name is set
	if packed.isShort() {
		short := append(packed.short[:0], n.Condition...)
		short = append(short, n.verbs()...)
		_ = append(short, n.Unless...)
	} else {
		packed.long = n.Condition + n.verbs() + n.Unless + packed.long
	}
	if packed.window {
		packed.long = string(packTime(packTime([]byte(packed.long), n.From), n.Until))
	}
	p.norms[slot%perPage] = packed
}

// pack copies the long texts of the page into a few strings, so that the garbage collector
// has few objects for them. A string has at most packBytes, or the texts of one norm:
// a violation that is kept keeps all of it.
func (p *normPage) pack() {
	for norms := p.norms[:]; len(norms) > 0; {
		n, size := 0, 0
		for n < len(norms) && (n == 0 || size+len(norms[n].long) <= packBytes) {
			size += len(norms[n].long)
			n++
		}
		var b strings.Builder
		b.Grow(size)
		for i := range norms[:n] {
			start := b.Len()
			b.WriteString(norms[i].long)
			norms[i].long = b.String()[start:]
		}
		norms = norms[n:]
	}
}

// The strings that these three methods return are part of the page if isShort. To keep
// one would keep the page in memory.
func (n *packedNorm) condition() string { return n.compared(textCondition) }
func (n *packedNorm) verbs() string     { return n.compared(textVerbs) }
func (n *packedNorm) unless() string    { return n.compared(textUnless) }

func (n *packedNorm) name() string   { return n.text(textName) }
func (n *packedNorm) advice() string { return n.text(textAdvice) }

// compared returns one of the texts that a check compares.
func (n *packedNorm) compared(text int) string {
	if !n.isShort() {
		return n.text(text)
	}
	b := n.short[n.start(text):n.ends[text]]
	return unsafe.String(unsafe.SliceData(b), len(b)) // the page is not written to any more
}

// text returns one of the texts in long.
func (n *packedNorm) text(text int) string {
	skipped := n.skipped()
	return n.long[n.start(text)-skipped : n.ends[text]-skipped]
}

// start returns where a text would begin if all were in a row.
func (n *packedNorm) start(text int) uint32 {
	if text == 0 {
		return 0
	}
	return n.ends[text-1]
}

// isShort reports whether the texts that a check compares are in short.
func (n *packedNorm) isShort() bool { return n.ends[textUnless] <= shortSize }

// skipped returns how many bytes of the texts are not in long.
func (n *packedNorm) skipped() uint32 {
	if n.isShort() {
		return n.ends[textUnless]
	}
	return 0
}

// bounds returns From and Until.
func (n *packedNorm) bounds() (from, until time.Time) {
	if n.window {
		times := n.long[len(n.long)-2*timeSize:]
		from, until = unpackTime(times), unpackTime(times[timeSize:])
	}
	return from, until
}

// active is [Norm.active].
func (n *packedNorm) active(at time.Time) bool {
	from, until := n.bounds()
	return isActive(from, until, n.permit, at)
}

// compare is compareNorms.
func (n *packedNorm) compare(m *packedNorm) int {
	if n.priority != m.priority {
		return cmp.Compare(m.priority, n.priority)
	}
	return strings.Compare(n.name(), m.name())
}

// unpack returns the norm. It does not keep the page in memory.
func (n *packedNorm) unpack() Norm {
	compared := n.long
	if n.isShort() {
		compared = string(n.short[:n.ends[textUnless]])
	}
	verbs := compared[n.ends[textCondition]:n.ends[textVerbs]]
	norm := Norm{
		Name:        n.name(),
		Description: n.text(textDescription),
		Condition:   compared[:n.ends[textCondition]],
		Unless:      compared[n.ends[textVerbs]:n.ends[textUnless]],
		Scope:       n.text(textScope),
		Priority:    n.priority,
		Severity:    severities[n.severity],
		Advice:      n.advice(),
		Shadow:      n.shadow,
	}
	if n.permit {
		norm.Permitted = verbs
	} else {
		norm.Prohibited = verbs
	}
	norm.From, norm.Until = n.bounds()
	return norm
}

// timeSize is the number of bytes of a packed time: eight for the seconds since 1970,
// and four for the nanoseconds.
const timeSize = 8 + 4

func packTime(b []byte, t time.Time) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(t.Unix()))
	return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
}

func unpackTime(packed string) time.Time {
	b := []byte(packed[:timeSize])
	return time.Unix(int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint32(b[8:]))).UTC()
}
