//go:build !unix && !windows

package journal

// syncDir does nothing: there is no fsync of a directory here.
func syncDir(string) error { return nil }

// isFull reports whether an error says that there is no room on the disk. It is
// not known here.
func isFull(error) bool { return false }
