package journal

import (
	"flag"
	"fmt"
	"io"
	"io/fs"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

var samples = flag.Int("samples", 4, "states to look at after each crash")

func same(fsys FS) FS { return fsys }

// littleRoom has segments deleted, several at a time now and then.
func littleRoom(o *Options) {
	if o.SegmentBytes > 0 {
		o.MaxBytes = 1000
	}
}

func TestPowerLossBeforeAnyOperation(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			require.NoError(t, testCrashes(same, seed, *samples, nil))
		})
		t.Run(fmt.Sprintf("seed=%d/MaxBytes", seed), func(t *testing.T) {
			t.Parallel()
			require.NoError(t, testCrashes(same, seed, *samples, littleRoom))
		})
	}
}

func TestFailureOfAnyOperation(t *testing.T) {
	for _, cause := range []error{syscall.EIO, fs.ErrPermission, fs.ErrNotExist, io.ErrShortWrite} {
		for name, how := range map[string]struct{ always, lost bool }{
			"once":                             {},
			"from then on":                     {always: true},
			"once, and then the power is lost": {lost: true},
		} {
			t.Run(fmt.Sprintf("%v/%s", cause, name), func(t *testing.T) {
				t.Parallel()
				for seed := range uint64(2) {
					require.NoError(t, testFailures(same, seed, cause, how.always, how.lost))
				}
			})
		}
	}
}

func TestNothingIsLeftOpen(t *testing.T) {
	m := newMemFS()
	m.put("/data/other", "")
	var h history
	require.NoError(t, h.live(m, 3, nil))
	require.Zero(t, m.open)
}
