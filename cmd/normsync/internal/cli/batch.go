package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
	"github.com/normsync/normsync/internal/texttable"
)

// batch judges a log of actions and writes the verdicts and a summary.
type batch struct {
	app         *app
	summaryOnly bool // writes the summary to the standard output, and no verdicts

	out     *bufio.Writer
	count   batchCount
	byNorm  map[string]*normCount
	started time.Time
	shown   time.Time // when the progress was shown last
}

// batchCount is the summary of a log, as it is written in JSON.
type batchCount struct {
	Actions    int         `json:"actions"`
	Allowed    int         `json:"allowed"`
	Denied     int         `json:"denied"`
	Violations int         `json:"violation_count"`
	Recorded   bool        `json:"recorded"`
	Norms      []normCount `json:"norms"`
}

// normCount counts the violations of one norm.
type normCount struct {
	Norm       string `json:"norm"`
	Violations int    `json:"violations"`
	Shadow     bool   `json:"shadow"`
}

func (b *batch) check(ctx context.Context, s *service.Service, log io.Reader, dryRun bool) error {
	b.out = bufio.NewWriterSize(b.app.stdout, 64<<10)
	b.byNorm = map[string]*normCount{}
	b.started = time.Now()
	b.shown = b.started
	progress := isTerminal(b.app.stderr)
	var line []byte

	// Verdicts are written out before check waits for more actions, so that a program
	// can send an action and wait for its verdict.
	in := bufio.NewReaderSize(&flushingReader{log, b.out}, 64<<10)
	err := func() error {
		for v, err := range s.CheckAll(ctx, normsync.ReadActions(in), dryRun) {
			if err != nil {
				return err
			}
			b.add(v)
			if progress {
				b.showProgress()
			}
			if b.summaryOnly {
				continue
			}
			line = append(line[:0], `{"number":`...)
			line = strconv.AppendInt(line, int64(b.count.Actions), 10)
			line = append(line, ',')
			if line, err = v.AppendJSON(line); err != nil {
				return err
			}
			line = append(line, '\n')
			if _, err := b.out.Write(visible(line)); err != nil {
				return err
			}
		}
		return nil
	}()
	if progress {
		io.WriteString(b.app.stderr, "\r\x1b[K")
	}
	if flushed := b.out.Flush(); err == nil {
		err = flushed
	}
	if err != nil {
		if b.count.Actions > 0 {
			text := fmt.Sprintf("normsync: stopped behind action %d", b.count.Actions)
			if !errors.Is(err, service.ErrNotRecorded) {
				text += "; the violations up to it are " + recorded(!dryRun)
			}
			b.app.notef("%s", text)
		}
		return err
	}
	b.count.Recorded = !dryRun
	if err := b.writeSummary(); err != nil {
		return err
	}
	if b.count.Denied > 0 {
		return errFound
	}
	return nil
}

func (b *batch) add(v service.Verdict) {
	b.count.Actions++
	if v.Allowed {
		b.count.Allowed++
	} else {
		b.count.Denied++
	}
	b.count.Violations += len(v.Violations)
	for i := range v.Violations {
		v := &v.Violations[i]
		n := b.byNorm[v.NormName]
		if n == nil {
			n = &normCount{Norm: v.NormName, Shadow: v.Shadow}
			b.byNorm[v.NormName] = n
		}
		n.Violations++
	}
}

// showProgress shows how far check is, ten times a second.
func (b *batch) showProgress() {
	if b.count.Actions%1024 != 0 {
		return // reading the clock takes longer than a check
	}
	now := time.Now()
	if now.Sub(b.shown) < 100*time.Millisecond {
		return
	}
	b.shown = now
	fmt.Fprintf(b.app.stderr, "\r\x1b[K%d actions, %d denied, %.0f per second", b.count.Actions, b.count.Denied,
		float64(b.count.Actions)/now.Sub(b.started).Seconds())
}

// writeSummary writes the summary behind the verdicts, to the standard error, or to the
// standard output if there are no verdicts.
func (b *batch) writeSummary() error {
	for _, n := range b.byNorm {
		b.count.Norms = append(b.count.Norms, *n)
	}
	slices.SortFunc(b.count.Norms, func(x, y normCount) int {
		return cmp.Or(cmp.Compare(y.Violations, x.Violations), cmp.Compare(x.Norm, y.Norm))
	})
	if b.count.Norms == nil {
		b.count.Norms = []normCount{}
	}
	w := b.app.stderr
	if b.summaryOnly {
		w = b.app.stdout
	}
	if b.app.json {
		return writeJSON(w, b.count)
	}
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%s: %d allowed, %d denied. %s, %s.\n", plural(b.count.Actions, "action"), b.count.Allowed, b.count.Denied,
		plural(b.count.Violations, "violation"), recorded(b.count.Recorded))
	if len(b.count.Norms) > 0 {
		out.WriteString("\n")
		table := &texttable.Table{
			Columns: []string{"Norm", "#Violations", "State"},
			Rows:    len(b.count.Norms),
			Row: func(i int) []string {
				n, state := b.count.Norms[i], ""
				if n.Shadow {
					state = "dry run"
				}
				return []string{n.Norm, strconv.Itoa(n.Violations), state}
			},
		}
		if err := table.WriteText(out); err != nil {
			return err
		}
	}
	return out.Flush()
}

func recorded(is bool) string {
	if is {
		return "recorded"
	}
	return "not recorded"
}

// flushingReader flushes a writer before each read.
type flushingReader struct {
	r io.Reader
	w *bufio.Writer
}

func (f *flushingReader) Read(p []byte) (int, error) {
	_ = f.w.Flush() // the next write reports the error
	return f.r.Read(p)
}
