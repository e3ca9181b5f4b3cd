package rest

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

type revisionsInput struct {
	Norm   string `query:"norm" doc:"Only those of the norm with this name." example:"peace"`
	After  uint64 `query:"after" doc:"Only editions greater than this one; with newest, only smaller ones."`
	Limit  int    `query:"limit" minimum:"1" maximum:"10000" doc:"At most so many; the header Link then has the address of the next ones. Without it, all."`
	Newest bool   `query:"newest" doc:"Newest first."`
	URL    url.URL
}

// Resolve implements huma.Resolver.
func (in *revisionsInput) Resolve(ctx huma.Context) []error {
	in.URL = ctx.URL()
	return nil
}

func (s *server) addRevisions() {
	op := operation(http.MethodGet, "/revisions", "listRevisions", "Changes of the norms, oldest first", "")
	op.Responses = listResponse[Revision](s.api)
	register(s, op, s.listRevisions)
}

func (s *server) listRevisions(ctx context.Context, in *revisionsInput) (*listOutput[Revision], error) {
	read := s.oldestRevisions
	if in.Newest {
		read = s.newestRevisions
	}
	return writeList(s, in.URL, in.After, in.Limit, func(after uint64, limit int) ([]Revision, uint64, error) {
		return read(ctx, in.Norm, after, limit)
	})
}

// oldestRevisions returns the first revisions with a greater edition than after.
func (s *server) oldestRevisions(ctx context.Context, norm string, after uint64, limit int) (page []Revision, next uint64, err error) {
	for r, err := range s.service.Store().Revisions(ctx, after) {
		if err != nil {
			return nil, 0, err
		}
		if norm != "" && r.Norm.Name != norm {
			continue
		}
		page, next = append(page, Revision{r}), r.Edition
		if len(page) == limit {
			break
		}
	}
	return page, next, nil
}

// newestRevisions returns the last revisions with a smaller edition than before, newest
// first; 0 means all. A store has no such order, so it reads the whole log and keeps
// the end of it.
func (s *server) newestRevisions(ctx context.Context, norm string, before uint64, limit int) (page []Revision, next uint64, err error) {
	for r, err := range s.service.Store().Revisions(ctx, 0) {
		if err != nil {
			return nil, 0, err
		}
		if before > 0 && r.Edition >= before {
			break
		}
		if norm != "" && r.Norm.Name != norm {
			continue
		}
		if page = append(page, Revision{r}); len(page) >= 2*limit {
			page = slices.Delete(page, 0, limit)
		}
	}
	page = page[max(0, len(page)-limit):]
	slices.Reverse(page)
	if len(page) > 0 {
		next = page[len(page)-1].Edition
	}
	return page, next, nil
}
