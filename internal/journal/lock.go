package journal

import "io/fs"

// LockDir takes the lock of a directory, or says ErrLocked at once. The lock
// belongs to the opener, not to the process, and goes with the process at the
// latest.
func LockDir(dir string) (unlock func() error, err error) {
	if unlock, err = lockDir(dir); err != nil {
		return nil, &fs.PathError{Op: "lock", Path: dir, Err: err}
	}
	return unlock, nil
}
