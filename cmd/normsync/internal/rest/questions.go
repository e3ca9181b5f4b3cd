package rest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// This file has the operations that answer questions and change nothing.

type explanation struct {
	Allowed  bool      `json:"allowed" doc:"The verdict."`
	Edition  uint64    `json:"edition" doc:"Of the constitution that judged the action."`
	Findings []Finding `json:"findings" doc:"What became of each norm that has the verb of the action; what decides comes first."`
}

type explainInput struct{ Body Action }

type explainOutput struct{ Body explanation }

type allowedInput struct{ Body Situation }

type allowed struct {
	Allowed []string `json:"allowed" doc:"The verbs that the agent may use here, in the order of the request."`
	Edition uint64   `json:"edition" doc:"Of the constitution that judged them."`
}

type allowedOutput struct{ Body allowed }

type complianceInput struct {
	Agent string `query:"agent" doc:"Only this agent. The case of ASCII letters does not matter." example:"hero"`
}

type complianceOutput struct{ Body []Compliance }

type conflicts struct {
	Conflicts []Conflict `json:"conflicts"`
	GaveUp    []string   `json:"gave_up" doc:"Norms that are so much alike that conflicts of theirs may be missing."`
	Edition   uint64     `json:"edition" doc:"Of the constitution that was examined."`
}

type conflictsOutput struct{ Body conflicts }

func (s *server) addQuestions() {
	register(s, operation(http.MethodPost, "/explain", "explain", "Why is an action allowed or denied?",
		"Records nothing, and needs no token."), s.explain)
	register(s, operation(http.MethodPost, "/allowed", "allowed", "Which verbs may an agent use?",
		"Records nothing, and needs no token."), s.allowed)
	register(s, operation(http.MethodGet, "/compliance", "compliance", "How well do agents keep the norms? Worst first",
		"Judges the newest actions that this server checked since it was started, at most 100,000, by the norms in force now. A store has violations only, so it cannot tell a rate."), s.compliance)
	find := conflictFinder{}
	register(s, operation(http.MethodGet, "/conflicts", "conflicts", "Proven defects of the norms in force", ""),
		func(_ context.Context, _ *struct{}) (*conflictsOutput, error) {
			return find.conflicts(s.service.Monitor().Constitution())
		})
}

func (s *server) explain(_ context.Context, in *explainInput) (*explainOutput, error) {
	a, c := in.Body.Action, s.service.Monitor().Constitution()
	if a.Time.IsZero() {
		a.Time = time.Now().UTC()
	}
	a = s.service.WithFacts(a)
	out := &explainOutput{Body: explanation{Allowed: c.Allows(a), Edition: c.Edition(), Findings: []Finding{}}}
	for _, f := range c.Explain(a) {
		out.Body.Findings = append(out.Body.Findings, Finding{f})
	}
	return out, nil
}

func (s *server) allowed(_ context.Context, in *allowedInput) (*allowedOutput, error) {
	a, verbs, c := in.Body.Action, in.Body.Verbs, s.service.Monitor().Constitution()
	if a.Time.IsZero() {
		a.Time = time.Now().UTC()
	}
	a = s.service.WithFacts(a)
	if verbs == nil {
		for v := range c.Verbs() {
			if !strings.HasSuffix(v, "*") {
				verbs = append(verbs, v)
			}
		}
	}
	out := &allowedOutput{Body: allowed{Allowed: []string{}, Edition: c.Edition()}}
	for i, verb := range verbs {
		if !service.HasWord(verb) {
			return nil, fieldProblem(fmt.Sprintf("body.verbs[%d]", i), "it has no word that can be seen; name a verb, or leave it out")
		}
		if a.Verb = verb; c.Allows(a) {
			out.Body.Allowed = append(out.Body.Allowed, verb)
		}
	}
	return out, nil
}

func (s *server) compliance(_ context.Context, in *complianceInput) (*complianceOutput, error) {
	out := &complianceOutput{Body: []Compliance{}}
	for _, c := range normsync.Audit(s.service.Monitor().Constitution(), s.service.Recent()) {
		if in.Agent == "" || equalASCII(in.Agent, c.Agent) {
			out.Body = append(out.Body, Compliance{c})
		}
	}
	return out, nil
}

// equalASCII reports whether two names are equal but for the case of ASCII letters, as
// agents are compared.
func equalASCII(a, b string) bool {
	lower := func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}
	return strings.Map(lower, a) == strings.Map(lower, b)
}

// conflictFinder keeps its last result, because finding conflicts of 10,000 norms takes
// most of a second.
type conflictFinder struct {
	mu   sync.Mutex
	of   *normsync.Constitution
	last conflicts
}

func (f *conflictFinder) conflicts(c *normsync.Constitution) (*conflictsOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.of == c {
		return &conflictsOutput{Body: f.last}, nil
	}
	norms := make([]normsync.Norm, 0, c.Len())
	for n := range c.All() {
		norms = append(norms, n)
	}
	found, gaveUp, err := normsync.FindConflicts(norms)
	if err != nil {
		return nil, err
	}
	f.of, f.last = c, conflicts{Conflicts: []Conflict{}, GaveUp: append([]string{}, gaveUp...), Edition: c.Edition()}
	for _, x := range found {
		f.last.Conflicts = append(f.last.Conflicts, Conflict{x})
	}
	return &conflictsOutput{Body: f.last}, nil
}
