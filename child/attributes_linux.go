package child

import "syscall"

// attributes gives the child a process group of its own, so that Ctrl-C in a
// terminal reaches the parent alone, which then asks the child to stop; and has
// the kernel kill it when the parent dies, should it be too busy to notice that
// its standard input has closed.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
