package mcpserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/cmd/normsync/internal/mcpserver"
)

func readConstitution(t *testing.T, session *mcp.ClientSession) object {
	t.Helper()
	res, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: mcpserver.ConstitutionURI})
	require.NoError(t, err)
	require.Len(t, res.Contents, 1)
	require.Equal(t, mcpserver.ConstitutionURI, res.Contents[0].URI)
	require.Equal(t, "application/json", res.Contents[0].MIMEType)
	var value object
	require.NoError(t, json.Unmarshal([]byte(res.Contents[0].Text), &value))
	return value
}

func TestTheConstitutionIsAResource(t *testing.T) {
	overBothTransports(t, func(t *testing.T, w *world) {
		session := w.connect(true, nil)
		list, err := session.ListResources(t.Context(), nil)
		require.NoError(t, err)
		require.Len(t, list.Resources, 1)
		require.Equal(t, mcpserver.ConstitutionURI, list.Resources[0].URI)
		require.Equal(t, object{"edition": 0.0, "in_force": 0.0, "norms": []any{}, "more": 0.0}, readConstitution(t, session))

		w.enact(peace)
		got := readConstitution(t, session)
		require.EqualValues(t, 1, got["edition"])
		require.Equal(t, "peace", got["norms"].([]any)[0].(object)["name"])

		for i := range 40 {
			w.enact(normsync.Norm{Name: fmt.Sprint("long ", i), Description: repeat("x", 4<<10), Prohibited: "x"})
		}
		got = readConstitution(t, session)
		require.EqualValues(t, 41, got["in_force"])
		require.Greater(t, len(got["norms"].([]any)), 10)
		require.EqualValues(t, 41-len(got["norms"].([]any)), got["more"])

		_, err = session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "normsync://other"})
		require.Error(t, err)
	})
}

func TestSubscribersHearOfEveryChange(t *testing.T) {
	overBothTransports(t, func(t *testing.T, w *world) {
		heard := make(chan string, 100)
		other := w.connect(false, nil)
		session := w.connect(false, &mcp.ClientOptions{
			ResourceUpdatedHandler: func(_ context.Context, r *mcp.ResourceUpdatedNotificationRequest) { heard <- r.Params.URI },
		})
		subscribe(t, session)

		hears := func(edition int) {
			t.Helper()
			for { // a change may be told more than once, and two changes at once
				require.Equal(t, mcpserver.ConstitutionURI, receive(t, heard))
				if readConstitution(t, session)["edition"] == float64(edition) {
					return
				}
			}
		}
		fine(t, session, "add_norm", object{"name": "own", "description": "", "condition": "", "prohibited": "x"})
		hears(1)
		fine(t, other, "add_norm", object{"name": "another client's", "description": "", "condition": "", "prohibited": "x"})
		hears(2)
		w.enact(peace) // for stdio, this is another process
		hears(3)
		fine(t, other, "repeal_norm", object{"name": "peace"})
		hears(4)

		require.NoError(t, session.Unsubscribe(t.Context(), &mcp.UnsubscribeParams{URI: mcpserver.ConstitutionURI}))
	})
}

// With HTTP, too, a change by another process is heard of.
func TestSubscribersOverHTTPHearOfOtherProcesses(t *testing.T) {
	w := newWorld(t)
	heard := make(chan string, 100)
	session := connect(t, &mcp.StreamableClientTransport{Endpoint: listen(t, w.service, mcpserver.Options{})}, &mcp.ClientOptions{
		ResourceUpdatedHandler: func(_ context.Context, r *mcp.ResourceUpdatedNotificationRequest) { heard <- r.Params.URI },
	})
	subscribe(t, session)
	process := connect(t, &mcp.CommandTransport{Command: serverCommand(t, w.location, false)}, nil)
	fine(t, process, "add_norm", object{"name": "n", "description": "", "condition": "", "prohibited": "x"})
	require.Equal(t, mcpserver.ConstitutionURI, receive(t, heard))
	require.Equal(t, false, fine(t, session, "check_action", object{"agent_id": "a", "action": "x"}).value["allowed"])
}

func TestNobodySubscribesToWhatIsNotThere(t *testing.T) {
	w := newWorld(t)
	session, err := mcp.NewClient(&mcp.Implementation{Name: "tester", Version: "1"}, nil).
		Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: listen(t, w.service, mcpserver.Options{})}, nil)
	require.NoError(t, err)
	defer session.Close()
	require.ErrorContains(t, session.Subscribe(t.Context(), &mcp.SubscribeParams{URI: "normsync://other"}), "not found")
}

// A change that comes before Notify begins to follow the store is told, too.
func TestNotifyMissesNoChangeAtItsStart(t *testing.T) {
	w := newWorld(t)
	server := mcpserver.New(w.service, mcpserver.Options{})
	here, there := mcp.NewInMemoryTransports()
	_, err := server.Connect(t.Context(), here, nil)
	require.NoError(t, err)
	heard := make(chan string, 100)
	// In this version of the protocol Subscribe waits until the server has the subscription.
	session, err := mcp.NewClient(&mcp.Implementation{Name: "tester", Version: "1"}, &mcp.ClientOptions{
		ResourceUpdatedHandler: func(_ context.Context, r *mcp.ResourceUpdatedNotificationRequest) { heard <- r.Params.URI },
	}).Connect(t.Context(), there, &mcp.ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	require.NoError(t, err)
	defer session.Close()
	require.NoError(t, session.Subscribe(t.Context(), &mcp.SubscribeParams{URI: mcpserver.ConstitutionURI}))
	edition := w.service.Monitor().Constitution().Edition()
	w.enact(peace)
	go mcpserver.Notify(t.Context(), w.service, edition, server, slog.New(slog.DiscardHandler))
	require.Equal(t, mcpserver.ConstitutionURI, receive(t, heard))
}

// Clients of earlier versions of the protocol begin with a handshake, and hear of
// changes in another way.
func TestOlderClientsWorkToo(t *testing.T) {
	for _, version := range []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"} {
		t.Run(version, func(t *testing.T) {
			w := newWorld(t)
			for name, transport := range map[string]mcp.Transport{
				"http":  &mcp.StreamableClientTransport{Endpoint: listen(t, w.service, mcpserver.Options{})},
				"stdio": &mcp.CommandTransport{Command: serverCommand(t, w.location, false)},
			} {
				heard := make(chan string, 100)
				session, err := mcp.NewClient(&mcp.Implementation{Name: "tester", Version: "1"}, &mcp.ClientOptions{
					ResourceUpdatedHandler: func(_ context.Context, r *mcp.ResourceUpdatedNotificationRequest) { heard <- r.Params.URI },
				}).Connect(t.Context(), transport, &mcp.ClientSessionOptions{ProtocolVersion: version})
				require.NoError(t, err, name)
				defer session.Close()
				require.Equal(t, version, session.InitializeResult().ProtocolVersion)
				require.NoError(t, session.Subscribe(t.Context(), &mcp.SubscribeParams{URI: mcpserver.ConstitutionURI}))
				w.enact(normsync.Norm{Name: name, Prohibited: name})
				require.Equal(t, mcpserver.ConstitutionURI, receive(t, heard))
				require.Equal(t, false, fine(t, session, "check_action", object{"agent_id": "a", "action": name}).value["allowed"])
			}
		})
	}
}
