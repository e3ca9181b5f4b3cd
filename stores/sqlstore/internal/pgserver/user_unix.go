//go:build unix

package pgserver

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// account returns the account that a server of root runs as.
func account() (uid, gid int) {
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ = strconv.Atoi(u.Uid)
			gid, _ = strconv.Atoi(u.Gid)
			return uid, gid
		}
	}
	return 65534, 65534
}

// asGroup gives a process a group of its own, which keeps an interrupt from the
// terminal away from it.
func asGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func asUser(cmd *exec.Cmd) {
	asGroup(cmd)
	if os.Getuid() == 0 {
		uid, gid := account()
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
}

// Own gives a file or folder to the user that the server runs as.
func (s *Server) Own(path string) error {
	if os.Getuid() != 0 {
		return nil
	}
	uid, gid := account()
	return os.Chown(path, uid, gid)
}

func kill(pid string) {
	if n, err := strconv.Atoi(pid); err == nil && n > 1 {
		_ = syscall.Kill(n, syscall.SIGKILL)
	}
}
