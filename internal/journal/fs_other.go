//go:build !unix

package journal

// syncDir does nothing: there is no fsync of a directory here. On Windows, NTFS
// keeps names in its own log.
func syncDir(string) error { return nil }
