package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go"

	"github.com/normsync/normsync"
)

// cedarPolicies has one forbid policy per norm. The verb is Cedar's action,
// and the words of the action are a set in Cedar's context.
type cedarPolicies struct{ set *cedar.PolicySet }

func newCedar(norms []normsync.Norm) (cedarPolicies, error) {
	set := cedar.NewPolicySet()
	add := func(id, text string) error {
		var policy cedar.Policy
		if err := policy.UnmarshalCedar([]byte(text)); err != nil {
			return fmt.Errorf("policy %s: %w", id, err)
		}
		set.Add(cedar.PolicyID(id), &policy)
		return nil
	}
	if err := add("everything else", "permit (principal, action, resource);"); err != nil {
		return cedarPolicies{}, err
	}
	for _, n := range norms {
		quoted := words(n.Condition)
		for i, w := range quoted {
			quoted[i] = strconv.Quote(w)
		}
		text := fmt.Sprintf("forbid (principal, action == Action::%q, resource) when { context.words.containsAll([%s]) };",
			n.Prohibited, strings.Join(quoted, ", "))
		if err := add(n.Name, text); err != nil {
			return cedarPolicies{}, err
		}
	}
	return cedarPolicies{set}, nil
}

// check returns the number of policies that forbid the request.
func (p cedarPolicies) check(r cedar.Request) int {
	decision, diagnostic := cedar.Authorize(p.set, nil, r)
	if len(diagnostic.Errors) > 0 {
		panic(diagnostic.Errors[0].Message) // the policies are made above: a mistake in this program
	}
	if decision == cedar.Allow {
		return 0
	}
	return len(diagnostic.Reasons)
}

// cedarRequests makes requests in advance, so that their making is not
// measured.
func cedarRequests(actions []normsync.Action) []cedar.Request {
	requests := make([]cedar.Request, len(actions))
	for i, a := range actions {
		requests[i] = cedarRequest(a)
	}
	return requests
}

func cedarRequest(a normsync.Action) cedar.Request {
	var set []cedar.Value
	for _, w := range words(a.Verb, a.Location, a.Target, a.Faction) {
		set = append(set, cedar.String(w))
	}
	return cedar.Request{
		Principal: cedar.NewEntityUID("Agent", cedar.String(a.Agent)),
		Action:    cedar.NewEntityUID("Action", cedar.String(a.Verb)),
		Resource:  cedar.NewEntityUID("World", ""),
		Context:   cedar.NewRecord(cedar.RecordMap{"words": cedar.NewSet(set...)}),
	}
}
