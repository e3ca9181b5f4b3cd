//go:build !linux

package main

import "time"

var start = time.Now()

// clock returns wall time.
func clock() time.Duration { return time.Since(start) }
