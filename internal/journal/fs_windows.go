package journal

import (
	"errors"
	"syscall"
)

// syncDir does nothing: Windows has no fsync of a directory. NTFS keeps names in its
// own log.
func syncDir(string) error { return nil }

// isFull reports whether an error says that there is no room on the disk.
func isFull(err error) bool {
	const (
		handleDiskFull = syscall.Errno(39)  // ERROR_HANDLE_DISK_FULL
		diskFull       = syscall.Errno(112) // ERROR_DISK_FULL
	)
	return errors.Is(err, handleDiskFull) || errors.Is(err, diskFull)
}
