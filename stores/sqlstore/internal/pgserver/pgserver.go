// Package pgserver starts PostgreSQL for tests, on a socket in a temporary
// folder.
package pgserver

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrNotInstalled is the error of Start if there are no programs of PostgreSQL.
var ErrNotInstalled = errors.New("PostgreSQL is not installed; on Debian, apt-get install postgresql")

// Server is a server and its folder.
type Server struct {
	dir  string // of the socket and of the data
	bin  string // folder of the programs
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has ended
	log  bytes.Buffer
}

// Start creates an empty database cluster and starts a server on it.
func Start() (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "normsync-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin}
	if err := s.create(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

// programs returns the folder of the newest initdb.
func programs() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", ErrNotInstalled
	}
	return filepath.Dir(path), nil
}

func (s *Server) create() error {
	if err := s.Own(s.dir); err != nil {
		return err
	}
	initdb := s.command("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return s.Restart()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// command is one of PostgreSQL's programs, which do not run as root.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	asUser(cmd)
	return cmd
}

// DSN returns the data source name of a database, with the settings that follow.
func (s *Server) DSN(database string, settings ...string) string {
	return strings.Join(append([]string{"host=" + s.dir, "user=postgres", "dbname=" + database}, settings...), " ")
}

// Dir returns a folder that the server may write to.
func (s *Server) Dir() string { return s.dir }

// Restart starts the server, which must have ended, and waits until it answers.
func (s *Server) Restart() error {
	deadline := time.Now().Add(time.Minute)
	for {
		s.log.Reset()
		s.cmd = s.command("postgres", "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=300")
		s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
		if err := s.cmd.Start(); err != nil {
			return err
		}
		done := make(chan struct{})
		s.done = done
		stop, err := guard(s.cmd.Process.Pid)
		go func(cmd *exec.Cmd) { cmd.Wait(); stop(); close(done) }(s.cmd)
		if err != nil {
			s.Kill()
			return err
		}
		for s.running() {
			if s.command("pg_isready", "-q", "-h", s.dir).Run() == nil {
				return nil
			}
			if time.Now().After(deadline) {
				s.Kill()
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		// Processes of a server that was killed may still hold its memory.
		if time.Now().After(deadline) {
			return fmt.Errorf("the server does not start: %s", s.log.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// guard starts a process that ends a server when this program ends without doing so
// itself, such as a test that runs out of time. The function stop ends the guard.
func guard(pid int) (stop func(), err error) {
	cmd := exec.Command("sh", "-c", `read -r _; kill -QUIT "$1"`, "sh", strconv.Itoa(pid))
	asGroup(cmd)
	if _, err = cmd.StdinPipe(); err == nil { // the end of this program closes it
		err = cmd.Start()
	}
	if err != nil {
		return func() {}, err
	}
	return func() { cmd.Process.Kill(); cmd.Wait() }, nil
}

func (s *Server) running() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// Stop ends the server as an administrator would, without waiting for clients.
func (s *Server) Stop() error {
	if !s.running() {
		return nil
	}
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	select {
	case <-s.done:
		return nil
	case <-time.After(time.Minute):
		s.Kill()
		return fmt.Errorf("the server did not stop: %s", s.log.String())
	}
}

// Kill ends all processes of the server with SIGKILL, as a crash would.
func (s *Server) Kill() {
	pid := s.cmd.Process.Pid
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	s.cmd.Process.Kill()
	<-s.done
	for _, child := range strings.Fields(string(children)) {
		kill(child)
	}
}

// Remove stops the server and removes its folder.
func (s *Server) Remove() error {
	return errors.Join(s.Stop(), os.RemoveAll(s.dir))
}
