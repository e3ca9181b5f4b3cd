//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package journal

import (
	"errors"
	"os"
	"syscall"
)

// lockDir locks the directory itself: there is no file to leave behind, and
// another path to the directory leads to the same lock.
func lockDir(dir string) (unlock func() error, err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := flock(d, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		d.Close()
		if err == syscall.EWOULDBLOCK {
			err = ErrLocked
		}
		return nil, err
	}
	return func() error {
		// Closing is not enough: a child process that is just being started
		// has the descriptor too, and with it the lock.
		return errors.Join(flock(d, syscall.LOCK_UN), d.Close())
	}, nil
}

func flock(d *os.File, how int) error {
	for {
		if err := syscall.Flock(int(d.Fd()), how); err != syscall.EINTR {
			return err
		}
	}
}
