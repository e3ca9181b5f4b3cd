package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/service"
)

// ConstitutionURI names the resource that holds the norms in force.
const ConstitutionURI = "normsync://constitution"

type constitutionResource struct {
	Edition uint64          `json:"edition"`
	InForce int             `json:"in_force"`
	Norms   []normsync.Norm `json:"norms"`
	More    int             `json:"more"` // number of norms that are left out
}

func (h *host) addConstitution(server *mcp.Server) {
	server.AddResource(&mcp.Resource{
		URI: ConstitutionURI, Name: "constitution", Title: "The norms in force", MIMEType: "application/json",
		Description: "The edition of the constitution and its norms in order of name. If there are very many, \"more\" says how many are left out; list_norms lists all.",
	}, func(ctx context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		if _, err := h.service.Monitor().Sync(ctx); err != nil {
			return nil, err
		}
		constitution := h.service.Monitor().Constitution()
		p := newPage[normsync.Norm](constitution.Len())
		if err := p.addAll(constitution.All()); err != nil {
			return nil, err
		}
		text, err := json.Marshal(constitutionResource{
			Edition: constitution.Edition(), InForce: constitution.Len(),
			Norms: p.records, More: constitution.Len() - len(p.records),
		})
		if err != nil {
			return nil, err
		}
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, Text: string(text)}}}, nil
	})
}

func subscribe(_ context.Context, req *mcp.SubscribeRequest) error {
	if req.Params.URI != ConstitutionURI {
		return mcp.ResourceNotFoundError(req.Params.URI)
	}
	return nil
}

func unsubscribe(context.Context, *mcp.UnsubscribeRequest) error { return nil }

// Notify tells the subscribers of a server when the constitution changes, whoever
// changes it, until ctx ends. It compares with the given edition first, so that no
// change after that is missed. It also keeps the norms in force up to date.
func Notify(ctx context.Context, s *service.Service, edition uint64, server *mcp.Server, log *slog.Logger) {
	updated := func() {
		if err := server.ResourceUpdated(ctx, &mcp.ResourceUpdatedNotificationParams{URI: ConstitutionURI}); err != nil {
			log.Error("normsync: notify clients of a change", "error", err)
		}
	}
	if s.Monitor().Constitution().Edition() != edition {
		updated()
	}
	var last string
	for _, err := range s.Monitor().Follow(ctx) {
		if err == nil {
			last = ""
			updated()
			continue
		}
		if err.Error() != last { // Follow tries again and again
			last = err.Error()
			log.Error("normsync: follow the constitution", "error", err)
		}
		if errors.Is(err, normsync.ErrDiverged) {
			return // calls of tools say so, too
		}
	}
}
