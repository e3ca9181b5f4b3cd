package main

import (
	"strings"

	"github.com/normsync/normsync"
	"github.com/normsync/normsync/internal/token"
)

// What a check is measured against: the floor, which no check can be below,
// and two ways to check that one writes in an afternoon.

// floor splits, folds and hashes the words of an action, and looks nothing up.
//
//go:noinline
func floor(buf []uint64, a *normsync.Action) int {
	n := token.Hashes(buf, 0, a.Verb)
	n = token.Hashes(buf, n, a.Location)
	n = token.Hashes(buf, n, a.Target)
	return token.Hashes(buf, n, a.Faction)
}

// splitNorm is a norm that was split and folded beforehand.
type splitNorm struct {
	normsync.Norm
	verbs, condition []string
}

func splitNorms(norms []normsync.Norm) []splitNorm {
	split := make([]splitNorm, len(norms))
	for i, n := range norms {
		split[i] = splitNorm{n, fields(n.Prohibited), fields(n.Condition)}
	}
	return split
}

func fields(s string) []string { return strings.Fields(strings.ToLower(s)) }

type set map[string]struct{}

func setOf(texts ...string) set {
	s := set{}
	for _, text := range texts {
		for _, word := range fields(text) {
			s[word] = struct{}{}
		}
	}
	return s
}

func (s set) hasAll(words []string) bool {
	for _, w := range words {
		if _, ok := s[w]; !ok {
			return false
		}
	}
	return true
}

func (s set) hasAny(words []string) bool {
	for _, w := range words {
		if _, ok := s[w]; ok {
			return true
		}
	}
	return false
}

// scan compares each norm with the action, its verb first.
func scan(norms []splitNorm, a *normsync.Action) (violations []normsync.Violation) {
	verbs, words := setOf(a.Verb), setOf(a.Verb, a.Location, a.Target, a.Faction)
	for i := range norms {
		if r := &norms[i]; verbs.hasAny(r.verbs) && words.hasAll(r.condition) {
			violations = append(violations, normsync.Violation{NormName: r.Name, Severity: r.Severity, Action: *a})
		}
	}
	return violations
}

// verbMap has the norms by verb.
type verbMap map[string][]splitNorm

func mapVerbs(norms []splitNorm) verbMap {
	m := verbMap{}
	for _, r := range norms {
		for _, v := range r.verbs {
			m[v] = append(m[v], r)
		}
	}
	return m
}

func (m verbMap) check(a *normsync.Action) (violations []normsync.Violation) {
	words := setOf(a.Verb, a.Location, a.Target, a.Faction)
	for _, v := range fields(a.Verb) {
		norms := m[v]
		for i := range norms {
			if r := &norms[i]; words.hasAll(r.condition) {
				violations = append(violations, normsync.Violation{NormName: r.Name, Severity: r.Severity, Action: *a})
			}
		}
	}
	return violations
}
