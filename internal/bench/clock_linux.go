package main

import (
	"syscall"
	"time"
	"unsafe"
)

// clock reads the time that this thread has run. On a machine that others
// share, the time on the wall has theirs in it. (Getrusage has it too, but
// counts in ticks of the scheduler on some systems.)
func clock() time.Duration {
	const threadTime = 3 // CLOCK_THREAD_CPUTIME_ID
	var t syscall.Timespec
	if _, _, err := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, threadTime, uintptr(unsafe.Pointer(&t)), 0); err != 0 {
		panic(err)
	}
	return time.Duration(t.Nano())
}
