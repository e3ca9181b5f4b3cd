//go:build race

package normsync

// raceEnabled says that the race detector is on, under which the runtime
// allocates where it otherwise does not.
const raceEnabled = true
