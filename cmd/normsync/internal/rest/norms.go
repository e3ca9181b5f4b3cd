package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/normsync/normsync"
)

// Attribution has the author of a change and the reason, as query parameters.
type Attribution struct {
	By     string `query:"by" maxLength:"200" doc:"Who makes the change; kept in the revision." example:"zoe"`
	Reason string `query:"reason" maxLength:"4096" doc:"Why; kept in the revision." example:"new players"`
}

type normInput struct {
	Attribution
	Body NewNorm
}

type namedNormInput struct {
	Attribution
	Name string `path:"name" doc:"Of the norm. A slash in it is written %2F." example:"peace"`
	Body NewNorm
}

// NameInput has the name of a norm in a path.
type NameInput struct {
	Name string `path:"name" doc:"Of the norm. A slash in it is written %2F." example:"peace"`
}

type repealInput struct {
	Attribution
	NameInput
}

type normOutput struct{ Body Norm }

type normsInput struct {
	Scope string `query:"scope" doc:"Only norms of this scope." example:"global"`
}

type normsOutput struct{ Body []Norm }

func (s *server) addNorms() {
	register(s, writing(http.MethodPost, "/norm", "addNorm", "Enact a norm",
		"Answers 409 if a different norm with this name is in force; use PUT to amend it."), s.addNorm)
	register(s, operation(http.MethodGet, "/norms", "listNorms", "The norms in force, by name", ""), s.listNorms)
	register(s, operation(http.MethodGet, "/norms/{name}", "getNorm", "A norm in force", ""), s.getNorm)
	register(s, writing(http.MethodPut, "/norms/{name}", "putNorm", "Enact or amend a norm",
		"The norm has this content afterwards, whether it was in force before or not."), s.putNorm)
	register(s, writing(http.MethodDelete, "/norms/{name}", "repealNorm", "Repeal a norm",
		"Returns the norm as it was, with active false. Its history stays."), s.repealNorm)
}

func (s *server) addNorm(ctx context.Context, in *normInput) (*normOutput, error) {
	n := in.Body.Norm
	if err := s.apply(ctx, normsync.Enact(n).Attributed(in.By, in.Reason)); err != nil {
		return nil, err
	}
	return s.normInForce(n), nil
}

// normInForce returns the norm as the constitution has it, or n if another request
// has repealed it in the meantime.
func (s *server) normInForce(n normsync.Norm) *normOutput {
	if stored, ok := s.service.Monitor().Constitution().Norm(n.Name); ok {
		n = stored
	}
	return &normOutput{Body: Norm{n}}
}

func (s *server) listNorms(_ context.Context, in *normsInput) (*normsOutput, error) {
	out := &normsOutput{Body: []Norm{}}
	for n := range s.service.Monitor().Constitution().All() {
		if in.Scope == "" || in.Scope == n.Scope || in.Scope == "global" && n.Scope == "" {
			out.Body = append(out.Body, Norm{n})
		}
	}
	return out, nil
}

func (s *server) getNorm(_ context.Context, in *NameInput) (*normOutput, error) {
	n, ok := s.service.Monitor().Constitution().Norm(in.Name)
	if !ok {
		return nil, newProblem(http.StatusNotFound, fmt.Sprintf("normsync: get norm %.200q: no norm with that name is in force; GET /norms lists those that are", in.Name))
	}
	return &normOutput{Body: Norm{n}}, nil
}

func (s *server) putNorm(ctx context.Context, in *namedNormInput) (*normOutput, error) {
	n := in.Body.Norm
	if n.Name != "" && n.Name != in.Name {
		return nil, fieldProblem("body.name", fmt.Sprintf("it is %.200q and the path has %.200q; leave it out, or make them equal", n.Name, in.Name))
	}
	n.Name = in.Name
	// Others can enact or repeal the norm between the look and the change.
	for range 10 {
		change := normsync.Enact(n)
		if _, ok := s.service.Monitor().Constitution().Norm(n.Name); ok {
			change = normsync.Amend(n)
		}
		err := s.apply(ctx, change.Attributed(in.By, in.Reason))
		if err == nil {
			return s.normInForce(n), nil
		}
		if !errors.Is(err, normsync.ErrExists) && !errors.Is(err, normsync.ErrNotFound) {
			return nil, err
		}
	}
	return nil, newProblem(http.StatusConflict, fmt.Sprintf("normsync: put norm %.200q: others enact and repeal it all the time; try again", n.Name))
}

func (s *server) repealNorm(ctx context.Context, in *repealInput) (*normOutput, error) {
	n, _ := s.service.Monitor().Constitution().Norm(in.Name)
	revisions, err := s.applied(ctx, normsync.Repeal(in.Name).Attributed(in.By, in.Reason))
	if err != nil {
		return nil, err
	}
	if len(revisions) > 0 {
		n = revisions[0].Norm
	}
	return &normOutput{Body: Norm{n}}, nil
}

func (s *server) apply(ctx context.Context, c normsync.Change) error {
	_, err := s.applied(ctx, c)
	return err
}

func (s *server) applied(ctx context.Context, c normsync.Change) ([]normsync.Revision, error) {
	if s.service.ReadOnly() {
		return nil, newProblem(http.StatusForbidden, "normsync: change norms: the server was started with --read-only; start it without that to change norms")
	}
	if c.Kind != normsync.KindRepeal {
		if c.Norm.Repealed {
			return nil, fieldProblem("body.active", "it is false, and a norm that is not in force cannot be enacted; leave it out, or use DELETE to repeal the norm")
		}
		if err := c.Norm.Validate(); err != nil { // Apply would put other text in front of the error
			return nil, err
		}
	}
	return s.service.Monitor().Apply(ctx, c)
}
