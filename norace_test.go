//go:build !race

package normsync

const raceEnabled = false
