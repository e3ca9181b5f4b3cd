package main

import (
	"strings"

	"github.com/normsync/normsync"
)

// verbMap is what one writes in an afternoon: norms split and folded in
// advance, and found by verb.
type verbMap map[string][]splitNorm

type splitNorm struct {
	name      string
	condition []string
}

func newVerbMap(norms []normsync.Norm) verbMap {
	m := verbMap{}
	for _, n := range norms {
		split := splitNorm{n.Name, words(n.Condition)}
		for _, verb := range words(n.Prohibited) {
			m[verb] = append(m[verb], split)
		}
	}
	return m
}

func words(texts ...string) []string {
	return strings.Fields(strings.ToLower(strings.Join(texts, " ")))
}

// check returns the names of the norms that the action breaks.
func (m verbMap) check(a *normsync.Action) (broken []string) {
	set := map[string]bool{}
	for _, w := range words(a.Verb, a.Location, a.Target, a.Faction) {
		set[w] = true
	}
	for _, verb := range words(a.Verb) {
		for _, n := range m[verb] {
			if hasAll(set, n.condition) {
				broken = append(broken, n.name)
			}
		}
	}
	return broken
}

func hasAll(set map[string]bool, words []string) bool {
	for _, w := range words {
		if !set[w] {
			return false
		}
	}
	return true
}
