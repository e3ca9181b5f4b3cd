package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/normsync/normsync"

	"github.com/normsync/normsync/cmd/normsync/internal/preview"
)

// proposal is a change that somebody thinks of.
type proposal struct {
	Kind string   `json:"kind" enum:"enact,amend,repeal" doc:"What to do with the norm."`
	Norm *NewNorm `json:"norm,omitempty" doc:"The norm as it would be; not for a repeal."`
	Name string   `json:"name,omitempty" doc:"Of the norm to repeal." example:"peace"`
}

type previewInput struct {
	Limit int `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"How many of the last recorded violations to judge again."`
	Body  proposal
}

// Preview is what a change would do.
type Preview struct{ preview.Preview }

// Schema implements huma.SchemaProvider.
func (*Preview) Schema(r huma.Registry) *huma.Schema { return schemaOf[previewed](r) }

// previewed documents the JSON of a Preview.
type previewed struct {
	Edition          uint64     `json:"edition" doc:"Of the constitution that the change was compared with."`
	ConflictsAdded   []conflict `json:"conflicts_added" doc:"Conflicts that the change makes."`
	ConflictsRemoved []conflict `json:"conflicts_removed" doc:"Conflicts that the change resolves."`
	GaveUp           []string   `json:"gave_up" doc:"Norms that are so much alike that conflicts of theirs may be missing."`
	Warnings         []warning  `json:"warnings" doc:"What is legal in the norm and likely not meant."`
	Examined         int        `json:"examined" doc:"Recorded violations that were read."`
	Actions          int        `json:"actions" doc:"Different actions among them."`
	Changed          int        `json:"changed" doc:"Actions that would be judged differently."`
	NowAllowed       int        `json:"now_allowed" doc:"Of those, the ones that are denied now and would be allowed."`
	NowDenied        int        `json:"now_denied" doc:"Of those, the ones that are allowed now and would be denied."`
	Effects          []effect   `json:"effects" doc:"At most 100 of the actions that would be judged differently."`
}

type warning struct {
	Norm       string `json:"norm"`
	Field      string `json:"field"`
	Token      string `json:"token"`
	Detail     string `json:"detail"`
	Suggestion string `json:"suggestion,omitempty"`
}

type effect struct {
	Action storedAction `json:"action"`
	Before judgement    `json:"before"`
	After  judgement    `json:"after"`
}

type judgement struct {
	Allowed bool     `json:"allowed"`
	Norms   []string `json:"norms" doc:"Names of the norms that the action breaks, those on a dry run included."`
}

type previewOutput struct{ Body Preview }

func (s *server) addPreview() {
	register(s, operation(http.MethodPost, "/preview", "preview", "What would a change do?",
		"Finds the conflicts that a change of one norm would make or resolve, and judges the actions of the last recorded violations by the norms as they would be. Changes nothing, and needs no token."), s.preview)
}

func (s *server) preview(ctx context.Context, in *previewInput) (*previewOutput, error) {
	change, err := in.Body.change()
	if err != nil {
		return nil, err
	}
	if err := s.service.Flush(ctx); err != nil {
		s.hub.recordFailed(err)
	}
	var recorded []normsync.StoredViolation
	for v, err := range normsync.QueryViolations(ctx, s.service.Store(), normsync.ViolationQuery{Newest: true, Limit: in.Limit}) {
		if err != nil {
			return nil, err
		}
		recorded = append(recorded, v)
	}
	p, err := preview.Compare(ctx, s.service.Monitor().Constitution(), recorded, change)
	if err != nil {
		return nil, err
	}
	return &previewOutput{Preview{p}}, nil
}

func (p *proposal) change() (normsync.Change, error) {
	switch {
	case p.Kind == "repeal" && p.Norm != nil:
		return normsync.Change{}, fieldProblem("body.norm", "a repeal has the name of a norm only; leave norm out")
	case p.Kind == "repeal" && p.Name == "":
		return normsync.Change{}, fieldProblem("body.name", "it is missing; name the norm to repeal")
	case p.Kind == "repeal":
		return normsync.Repeal(p.Name), nil
	case p.Norm == nil:
		return normsync.Change{}, fieldProblem("body.norm", "it is missing; send the norm as it would be")
	case p.Name != "":
		return normsync.Change{}, fieldProblem("body.name", "it is for a repeal; leave it out, since norm has the name")
	case p.Kind == "amend":
		return normsync.Amend(p.Norm.Norm), nil
	}
	return normsync.Enact(p.Norm.Norm), nil
}
