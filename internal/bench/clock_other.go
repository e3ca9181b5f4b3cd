//go:build !linux

package main

import "time"

var began = time.Now()

// clock reads the time on the wall.
func clock() time.Duration { return time.Since(began) }
