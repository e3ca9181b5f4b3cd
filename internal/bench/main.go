// Bench measures what checks and changes cost, and holds the figures against
// what they must be. It prints a table in Markdown, and draws a picture.
//
//	go run ./internal/bench [-quick] [-svg file] [-norms file -actions file]
//
// What is compared runs in one process and in turn, in slices of two
// milliseconds; a ratio is the median of the ratios of many rounds, of those
// in which the machine did least besides.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/normsync/normsync"
)

func main() {
	quick := flag.Bool("quick", false, "measure a tenth as long, and with 100,000 norms instead of a million")
	svg := flag.String("svg", "", "draw the cost of a check against the number of norms into this `file`")
	norms := flag.String("norms", "", "also judge the log of -actions by the norms of this `file`")
	actions := flag.String("actions", "", "the `file` with the log, in JSON Lines")
	flag.Parse()

	b := &bench{rounds: 800, million: 1_000_000}
	if *norms != "" || *actions != "" {
		var err error
		if b.log, err = readLog(*norms, *actions); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if *quick {
		b.rounds, b.million = 80, 100_000
	}
	fmt.Printf("%s, %d cores, %s, %s/%s\n\n    go run ./internal/bench%s\n",
		cpu(), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH, map[bool]string{true: " -quick"}[*quick])
	b.run()
	runtime.KeepAlive(sink)
	if *svg == "" {
		return
	}
	if err := os.WriteFile(*svg, draw(b.curves), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// readLog reads norms and actions from files.
func readLog(norms, actions string) (log actionLog, err error) {
	f, err := os.Open(norms)
	if err != nil {
		return log, err
	}
	defer f.Close()
	if log.norms, err = normsync.ReadNorms(f); err != nil {
		return log, fmt.Errorf("%s: %w", norms, err)
	}
	g, err := os.Open(actions)
	if err != nil {
		return log, err
	}
	defer g.Close()
	for a, err := range normsync.ReadActions(g) {
		if err != nil {
			return log, fmt.Errorf("%s: %w", actions, err)
		}
		log.actions = append(log.actions, a)
	}
	return log, nil
}

// cpu returns the name of the processor, if the system tells it.
func cpu() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "model name"); ok {
			return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(name), ":"))
		}
	}
	return "unknown processor"
}
