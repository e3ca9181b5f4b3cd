//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package journal

import (
	"path/filepath"
	"sync"
)

// locked holds the directories that are locked in this process. There is no
// lock between processes here that goes with its process.
var locked sync.Map

func lockDir(dir string) (unlock func() error, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	if _, taken := locked.LoadOrStore(dir, true); taken {
		return nil, ErrLocked
	}
	return func() error {
		locked.Delete(dir)
		return nil
	}, nil
}
