//go:build !linux

package child

import "syscall"

// attributes gives the child a process group of its own, so that Ctrl-C in a
// terminal reaches the parent alone, which then asks the child to stop.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
