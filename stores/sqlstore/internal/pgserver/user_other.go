//go:build !unix

package pgserver

import "os/exec"

func asGroup(*exec.Cmd) {}

func asUser(*exec.Cmd) {}

// Own gives a file or folder to the user that the server runs as.
func (s *Server) Own(string) error { return nil }

func kill(string) {}
