// Peers compares a check with the same check done by cedar-go, a policy engine
// for Go, and by a hand-written map from verbs to norms. It prints a table in
// Markdown, and exits with status 1 if the three disagree about any action.
//
//	go run . [-norms 100,1000,10000]
//
// It is a module of its own, so that the library does not depend on what it is
// compared with.
package main

import (
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/workload"
)

func main() {
	sizes := flag.String("norms", "100,1000,10000", "numbers of norms to measure, separated by commas")
	flag.Parse()
	fmt.Printf("%s, %s/%s; nanoseconds per check\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Println("| norms | normsync | map by verb | cedar-go |")
	fmt.Println("| ---: | ---: | ---: | ---: |")
	for _, text := range strings.Split(*sizes, ",") {
		size, err := strconv.Atoi(text)
		if err == nil {
			err = compare(size)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "peers:", err)
			os.Exit(1)
		}
	}
}

// actionCount is the number of actions in one pass.
const actionCount = 1024

// compare prints the row for a world with that many norms. All of its actions
// are allowed, because in a game nearly all are.
func compare(size int) error {
	world := workload.World{Size: size}
	norms := make([]normsync.Norm, size)
	for i := range norms {
		n := world.Norm(i)
		norms[i] = normsync.Norm{Name: n.Name, Condition: n.Condition, Prohibited: n.Prohibited}
	}
	rules, err := normsync.Compile(norms...)
	if err != nil {
		return err
	}
	byVerb := newVerbMap(norms)
	policies, err := newCedar(norms)
	if err != nil {
		return err
	}

	var allowed []normsync.Action
	for i := 0; len(allowed) < actionCount; i++ {
		a := action(world.Action(i))
		if rules.Allows(a) {
			allowed = append(allowed, a)
		}
	}
	requests := cedarRequests(allowed)
	for i := range 64 {
		a := action(world.Violating(i * 7919 % size))
		if err := agree(a, len(rules.Check(a)), len(byVerb.check(&a)), policies.check(cedarRequest(a))); err != nil {
			return err
		}
		a = allowed[i]
		if err := agree(a, len(rules.Check(a)), len(byVerb.check(&a)), policies.check(requests[i])); err != nil {
			return err
		}
	}

	room := make([]normsync.Violation, 0, 64)
	ours := fastest(func(i int) { room = rules.AppendCheck(room[:0], allowed[i]) })
	hand := fastest(func(i int) { byVerb.check(&allowed[i]) })
	cedar := fastest(func(i int) { policies.check(requests[i]) })
	fmt.Printf("| %d | %d | %d | %d |\n", size, ours, hand, cedar)
	return nil
}

func action(a workload.Action) normsync.Action {
	return normsync.Action{Agent: a.Agent, Verb: a.Verb, Location: a.Location, Target: a.Target, Faction: a.Faction}
}

func agree(a normsync.Action, ours, hand, cedar int) error {
	if ours != hand || ours != cedar {
		return fmt.Errorf("%+v breaks %d norms according to normsync, %d according to the map and %d according to cedar-go", a, ours, hand, cedar)
	}
	return nil
}

// fastest returns the time of one check in the fastest of the passes over all
// actions that fit into a second, which is at least one. Other work on the
// machine makes a pass slower, never faster.
func fastest(check func(i int)) time.Duration {
	runtime.LockOSThread() // clock measures the thread
	defer runtime.UnlockOSThread()
	best := time.Duration(math.MaxInt64)
	for start := clock(); clock()-start < time.Second; {
		begin := clock()
		for i := range actionCount {
			check(i)
		}
		best = min(best, clock()-begin)
	}
	return best / actionCount
}
