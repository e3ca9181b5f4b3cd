package journal

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"
)

var (
	kernel32     = syscall.NewLazyDLL("kernel32.dll")
	lockFileEx   = kernel32.NewProc("LockFileEx")
	unlockFileEx = kernel32.NewProc("UnlockFileEx")
)

const (
	lockfileFailImmediately = 1
	lockfileExclusiveLock   = 2

	errLockViolation syscall.Errno = 33
)

// lockDir locks a file in the directory, since a directory cannot be locked.
// The file stays when the lock is given back.
func lockDir(dir string) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	where := new(syscall.Overlapped)
	ok, _, err := lockFileEx.Call(f.Fd(), lockfileExclusiveLock|lockfileFailImmediately, 0, 1, 0, uintptr(unsafe.Pointer(where)))
	if ok == 0 {
		f.Close()
		if errors.Is(err, errLockViolation) || errors.Is(err, syscall.ERROR_IO_PENDING) {
			err = ErrLocked
		}
		return nil, err
	}
	return func() error {
		where := new(syscall.Overlapped)
		ok, _, err := unlockFileEx.Call(f.Fd(), 0, 1, 0, uintptr(unsafe.Pointer(where)))
		if ok != 0 {
			err = nil
		}
		return errors.Join(err, f.Close())
	}, nil
}
