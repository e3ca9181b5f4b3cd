package journal

import "io/fs"

// LockDir takes the lock of a directory, or returns ErrLocked at once. The lock
// belongs to the opener, not to the process, and ends when the process ends, at the
// latest.
func LockDir(dir string) (unlock func() error, err error) {
	if unlock, err = lockDir(dir); err != nil {
		return nil, &fs.PathError{Op: "lock", Path: dir, Err: err}
	}
	return unlock, nil
}
