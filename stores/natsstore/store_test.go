package natsstore_test

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/stores/natsstore"
)

func TestStoreKeepsTheRules(t *testing.T) {
	srv := startServer(t, serverConfig{Dir: t.TempDir(), Port: -1})
	require.NoError(t, normsync.TestStore(func() (normsync.Store, error) {
		s, err := natsstore.Open(context.Background(), srv.ClientURL(), newName(), nil)
		if err == nil {
			t.Cleanup(func() { s.Close() })
		}
		return s, err
	}))
}

func TestTwoServersCannotTakeOneEdition(t *testing.T) {
	srv := startServer(t, serverConfig{Dir: t.TempDir(), Port: -1})
	name := newName()
	a, b := openStore(t, srv.ClientURL(), name, nil), openStore(t, srv.ClientURL(), name, nil)
	ma, err := normsync.Open(t.Context(), a, nil)
	require.NoError(t, err)
	mb, err := normsync.Open(t.Context(), b, nil)
	require.NoError(t, err)
	_, err = ma.Apply(t.Context(), normsync.Enact(forbid("a", "attack")))
	require.NoError(t, err)
	first := revisions(t, a)[0]
	require.ErrorIs(t, b.AppendRevisions(t.Context(), first), normsync.ErrConflict)
	_, err = mb.Apply(t.Context(), normsync.Enact(forbid("b", "heal")))
	require.NoError(t, err, "Apply syncs and tries again")
	require.Len(t, wholeLog(t, a), 2)

	other := revisions(t, a)[1]
	other.Edition, other.Version, other.Prev = 3, 2, normsync.ID{1}
	require.ErrorIs(t, a.AppendRevisions(t.Context(), other), normsync.ErrConflict, "another predecessor")
	require.Len(t, wholeLog(t, b), 2)
}

func TestRecordsBeyondTheMaximumPayload(t *testing.T) {
	srv := startServer(t, serverConfig{Dir: t.TempDir(), Port: -1})
	s := openStore(t, srv.ClientURL(), newName(), nil)
	m, err := normsync.Open(t.Context(), s, nil)
	require.NoError(t, err)
	var changes []normsync.Change
	for i := range 400 {
		n := forbid(fmt.Sprint("norm ", i), "attack")
		n.Description = strings.Repeat("x", 4000)
		changes = append(changes, normsync.Enact(n))
	}
	_, err = m.Apply(t.Context(), changes...)
	require.NoError(t, err)
	_, err = m.Apply(t.Context(), normsync.Repeal("norm 7"))
	require.NoError(t, err)
	require.Len(t, wholeLog(t, s), 401)

	small, large := violation(1), violation(2)
	large.Action.Metadata = `"` + strings.Repeat("y", 3<<19) + `"`
	require.NoError(t, s.AppendViolations(t.Context(), small, large, small))
	require.Equal(t, []normsync.StoredViolation{{Number: 1, Violation: small}, {Number: 2, Violation: large}, {Number: 3, Violation: small}}, violations(t, s, 0))
}

func TestRevisionsStartsNearTheEdition(t *testing.T) {
	srv := startServer(t, serverConfig{Dir: t.TempDir(), Port: -1})
	name := newName()
	s := openStore(t, srv.ClientURL(), name, nil)
	m, err := normsync.Open(t.Context(), s, nil)
	require.NoError(t, err)
	for i := range 40 {
		var changes []normsync.Change
		for j := range 1 + i%4 {
			changes = append(changes, normsync.Enact(forbid(fmt.Sprintf("%d-%d", i, j), "attack")))
		}
		_, err := m.Apply(t.Context(), changes...)
		require.NoError(t, err)
	}
	all := wholeLog(t, s)
	require.Len(t, all, 100)
	for _, after := range []uint64{0, 1, 2, 3, 9, 10, 11, 50, 91, 92, 98, 99, 100, 101} {
		var got []normsync.Revision
		for r, err := range openStore(t, srv.ClientURL(), name, nil).Revisions(t.Context(), after) {
			require.NoError(t, err)
			got = append(got, r)
		}
		require.Equal(t, all[min(after, 100):], append([]normsync.Revision{}, got...), "after %d", after)
	}
}

func TestQueryViolations(t *testing.T) {
	srv := startServer(t, serverConfig{Dir: t.TempDir(), Port: -1})
	s := openStore(t, srv.ClientURL(), newName(), nil)
	var all []normsync.StoredViolation
	var batch []normsync.Violation
	for i := range 1500 {
		v := violation(i)
		if i%11 == 0 {
			v.Severity = normsync.SeverityError
		}
		batch = append(batch, v)
		all = append(all, normsync.StoredViolation{Number: uint64(i + 1), Violation: v})
	}
	require.NoError(t, s.AppendViolations(t.Context(), batch...))
	at := func(sec int64) time.Time { return time.Unix(sec, 0).UTC() }
	for _, q := range []normsync.ViolationQuery{
		{}, {Newest: true}, {Limit: 3}, {Newest: true, Limit: 3}, {Agent: "AGENT-7"}, {Agent: "agent-7", Newest: true, Limit: 10}, {Agent: "nobody"}, {Agent: "nobody", Newest: true},
		{Norm: "norm 3", Newest: true, Limit: 5}, {Severity: normsync.SeverityError}, {Since: at(100), Until: at(120)}, {After: 1490}, {After: 5000}, {After: 10, Newest: true},
		{After: 1, Newest: true}, {After: 1250, Newest: true, Agent: "agent-7", Limit: 2}, {After: 9000, Newest: true, Limit: 1},
	} {
		want := []normsync.StoredViolation{}
		for i := range all {
			v := all[i]
			if q.Newest {
				v = all[len(all)-1-i]
			}
			a := v.Action
			if (q.Agent == "" || strings.EqualFold(a.Agent, q.Agent)) && (q.Norm == "" || v.NormName == q.Norm) && (q.Severity == "" || v.Severity == q.Severity) &&
				(q.Since.IsZero() || !a.Time.Before(q.Since)) && (q.Until.IsZero() || a.Time.Before(q.Until)) &&
				(!q.Newest && v.Number > q.After || q.Newest && (q.After == 0 || v.Number < q.After)) && (q.Limit == 0 || len(want) < q.Limit) {
				want = append(want, v)
			}
		}
		got := []normsync.StoredViolation{}
		for v, err := range s.QueryViolations(t.Context(), q) {
			require.NoError(t, err)
			got = append(got, v)
		}
		require.Equal(t, want, got, "%+v", q)
	}
}

func TestRetention(t *testing.T) {
	srv := startServer(t, serverConfig{Dir: t.TempDir(), Port: -1})
	s := openStore(t, srv.ClientURL(), newName(), &natsstore.Options{MaxViolationBytes: 50_000})
	const n = 500
	for i := range n {
		require.NoError(t, s.AppendViolations(t.Context(), violation(i)))
	}
	left := violations(t, s, 0)
	require.Less(t, len(left), n)
	require.Equal(t, uint64(n), left[len(left)-1].Number)
	for i, v := range left {
		require.Equal(t, left[0].Number+uint64(i), v.Number, "the numbers tell what was deleted")
		require.Equal(t, violation(int(v.Number)-1), v.Violation)
	}
}

func TestWaitRevisions(t *testing.T) {
	srv := startServer(t, serverConfig{Dir: t.TempDir(), Port: -1})
	name := newName()
	a, b := openStore(t, srv.ClientURL(), name, nil), openStore(t, srv.ClientURL(), name, nil)
	m, err := normsync.Open(t.Context(), a, nil)
	require.NoError(t, err)
	_, err = m.Apply(t.Context(), normsync.Enact(forbid("a", "attack")))
	require.NoError(t, err)
	require.NoError(t, b.WaitRevisions(t.Context(), 0), "there is one already")

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, b.WaitRevisions(ctx, 1), context.DeadlineExceeded)

	woken := make(chan error, 1)
	go func() { woken <- b.WaitRevisions(t.Context(), 2) }()
	for i := range 2 {
		_, err = m.Apply(t.Context(), normsync.Enact(forbid(fmt.Sprint("b", i), "attack")))
		require.NoError(t, err)
	}
	require.NoError(t, receive(t, woken, "WaitRevisions returns"))

	go func() { woken <- b.WaitRevisions(context.Background(), 3) }()
	require.NoError(t, b.Close())
	require.ErrorIs(t, receive(t, woken, "WaitRevisions returns"), fs.ErrClosed, "Close ends a wait")
	require.ErrorIs(t, b.AppendViolations(t.Context(), violation(1)), fs.ErrClosed)
	require.ErrorIs(t, b.Close(), fs.ErrClosed)
	for _, err := range b.Violations(t.Context(), 0) {
		require.ErrorIs(t, err, fs.ErrClosed)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	_, err := natsstore.Open(ctx, urlOf(freePort(t)), "world", nil)
	require.ErrorIs(t, err, nats.ErrNoServers)
	require.ErrorContains(t, err, "normsync: open store: connect to nats://127.0.0.1:")
	_, err = natsstore.Open(t.Context(), fmt.Sprintf("nats://zoe:secret@127.0.0.1:%d,yan:p@ss@127.0.0.1:%[1]d", freePort(t)), "w", nil)
	require.ErrorContains(t, err, "connect to nats://127.0.0.1:")
	for _, private := range []string{"zoe", "secret", "yan", "p@ss"} {
		require.NotContains(t, err.Error(), private)
	}

	srv := startServer(t, serverConfig{Dir: t.TempDir(), Port: -1})
	for _, name := range []string{"", "a b", "a.b", "a>", strings.Repeat("x", 101)} {
		_, err = natsstore.Open(ctx, srv.ClientURL(), name, nil)
		require.ErrorIs(t, err, normsync.ErrInvalid, "%q", name)
	}
	_, err = natsstore.Open(ctx, srv.ClientURL(), "three", &natsstore.Options{Replicas: 3})
	require.ErrorContains(t, err, "normsync: open store: stream three_REVISIONS: ", "a server alone has no three replicas")
	done, cancelDone := context.WithCancel(ctx)
	cancelDone()
	_, err = natsstore.Open(done, srv.ClientURL(), "world", nil)
	require.ErrorIs(t, err, context.Canceled)

	o := serverConfig{Dir: t.TempDir(), Port: -1}.options()
	o.JetStream = false
	plain := runServer(t, o)
	_, err = natsstore.Open(ctx, plain.ClientURL(), "world", nil)
	require.ErrorContains(t, err, "start the server with JetStream")

	s := openStore(t, srv.ClientURL(), newName(), nil)
	bad := violation(1)
	bad.Action.Metadata = "{"
	require.ErrorIs(t, s.AppendViolations(ctx, violation(0), bad), normsync.ErrInvalid)
	require.Empty(t, violations(t, s, 0), "a violation that is refused leaves nothing behind")
}
