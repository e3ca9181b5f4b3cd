// Package normsync is a world constitution: the rules of a simulated world,
// kept outside the agents' code, against which any agent's action is checked.
package normsync
