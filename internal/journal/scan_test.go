package journal

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A newline may be the last byte of a read, the first of the next one, or be cut
// off by the limit.
func TestLinesThatEndWhereAReadDoes(t *testing.T) {
	for _, reads := range []int{1, 2, 3} {
		for d := -2; d <= 2; d++ {
			first := strings.Repeat("x", reads*readBytes+d)
			text := first + "\nsecond\n" + first + "\n\nhalf"
			r := lineReader{file: strings.NewReader(text), limit: int64(len(text))}
			for i, want := range []string{first, "second", first, ""} {
				line, err := r.next()
				require.NoError(t, err)
				require.True(t, want == string(line), "line %d of a text with a first line of %d bytes", i, len(first))
			}
			line, err := r.next()
			require.Equal(t, errNoEnd, err)
			require.Equal(t, "half", string(line))
			_, err = r.next()
			require.Equal(t, io.EOF, err)
		}
	}
}

func TestALineReaderReadsUpToItsLimit(t *testing.T) {
	text := strings.Repeat("x", readBytes) + "\nsecond\n"
	for limit := int64(readBytes - 1); limit <= int64(len(text)); limit++ {
		for _, size := range []int{int(limit), len(text)} { // the file may end there, too
			r := lineReader{file: strings.NewReader(text[:size]), limit: limit}
			var got string
			var err error
			for err == nil {
				var line []byte
				if line, err = r.next(); err == nil {
					got += string(line) + "\n"
				} else if err == errNoEnd {
					got += string(line)
				}
			}
			require.True(t, text[:limit] == got, "limit %d", limit)
			require.Equal(t, strings.HasSuffix(got, "\n"), err == io.EOF)
		}
	}
	// A file that is shorter than its size was when it was opened.
	r := lineReader{file: strings.NewReader("first\nhalf"), limit: 1 << 20}
	line, err := r.next()
	require.NoError(t, err)
	require.Equal(t, "first", string(line))
	line, err = r.next()
	require.Equal(t, errNoEnd, err)
	require.Equal(t, "half", string(line))
}

func TestTheMemoryOfALineReaderIsThatOfTheLongestLine(t *testing.T) {
	text := strings.Repeat(strings.Repeat("x", 1000)+"\n", 4000) // 4 MB
	r := lineReader{file: strings.NewReader(text), limit: int64(len(text))}
	for {
		if _, err := r.next(); err != nil {
			require.Equal(t, io.EOF, err)
			break
		}
	}
	require.LessOrEqual(t, len(r.space), 2*readBytes)
}

func TestCheckpointsAreFarFromEachOther(t *testing.T) {
	m := newMemFS()
	w := open(t, m, func(o *Options) { o.SegmentBytes = 0 })
	for i := range 300 {
		write(t, w, fmt.Sprintf(`"%d%s"`, i, strings.Repeat("x", 1000)))
	}
	require.Len(t, texts(t, w, 0), 300)
	at := w.checkpoints.at
	require.InDelta(t, 5, len(at), 1)
	for i := range at[1:] {
		require.GreaterOrEqual(t, at[i+1].offset, at[i].offset+checkpointEvery)
	}
	require.Equal(t, at[2], w.start(w.segments[0], at[2].sequence-1))
	require.Equal(t, at[1], w.start(w.segments[0], at[2].sequence-2))
	require.Equal(t, at[len(at)-1], w.start(w.segments[0], 1<<62))
}
