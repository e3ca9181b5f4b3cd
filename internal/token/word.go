package token

import "math/bits"

// Word is a token of an action, hashed in advance. A check that finds no candidate
// reads only Hash and start, and not the text.
type Word struct {
	Text  string // as it was written
	Hash  uint64 // what Hashes returns, for every field but the agent
	start uint64 // the first 8 bytes in lower case, padded with zeros, or notASCII
}

// notASCII is the start of a word that has bytes beyond ASCII.
const notASCII = uint64(1<<64 - 1)

// startOf returns the first 8 bytes of a token in lower case, padded with zeros, or
// notASCII. Two tokens of at most 7 bytes are equal if they have the same start, unless
// it is notASCII. So that this holds, a control character counts as beyond ASCII.
func startOf(tok string) uint64 {
	_, _, start := cut(tok, 0)
	return start
}

// NewWord returns the word of a token that Next has returned. A token of invisible
// characters only is a word, too, because they count in an agent's name.
func NewWord(tok string) Word {
	start := startOf(tok)
	if start == notASCII {
		return Word{tok, hashWord(keys.word, Visible(tok)), start}
	}
	return Word{tok, hashWord(keys.word, tok), start}
}

// Visible returns the text without invisible characters.
func (w *Word) Visible() string {
	if w.start != notASCII {
		return w.Text
	}
	return Visible(w.Text)
}

// Valid returns the text with each invalid byte replaced by U+FFFD.
func (w *Word) Valid() string {
	if w.start != notASCII {
		return w.Text
	}
	return Valid(w.Text)
}

// Prefixes is like the function Prefixes, for one word.
func (w *Word) Prefixes(dst []uint64, n int, lengths *Lengths) int {
	switch {
	case *lengths == (Lengths{}) || w.Text == "":
		return n
	case w.start == notASCII || lengths.longest() >= 8:
		return prefixesOf(dst, n, w.Text, lengths)
	case n < 0:
		return -1
	}
	for left := lengths[0]; left != 0; left &= left - 1 {
		k := bits.TrailingZeros64(left)
		if k > len(w.Text) {
			break
		}
		if n == len(dst) {
			return -1
		}
		dst[n] = mix(keys.prefix^w.start&(1<<(8*k)-1)^uint64(k)<<56, keys.multiplier)
		n++
	}
	return n
}

// AgentHashes is like the function AgentHashes, for one word.
func (w *Word) AgentHashes(dst []uint64, n int, lengths *Lengths) int {
	if w.start == notASCII {
		return AgentHashes(dst, n, w.Text, lengths)
	}
	if n < 0 || n == len(dst) {
		return -1
	}
	start := n
	dst[n] = w.Hash
	if n = w.Prefixes(dst, n+1, lengths); n < 0 {
		return -1
	}
	for i := start; i < n; i++ {
		dst[i] = OfAgent(dst[i])
	}
	return n
}
