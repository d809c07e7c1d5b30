package npm

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"unsafe"
)

// What LockFileEx takes and answers.
const (
	lockExclusive = 2
	lockAtOnce    = 1
	lockViolation = syscall.Errno(33)
)

// tryLock takes a lock on a file until it is closed, and reports whether it could.
func tryLock(file *os.File) (bool, error) {
	var overlapped syscall.Overlapped
	lock := syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx")
	ok, _, err := lock.Call(file.Fd(), lockExclusive|lockAtOnce, 0, 1, 0, uintptr(unsafe.Pointer(&overlapped)))
	if ok == 0 && errors.Is(err, lockViolation) {
		return false, nil
	}
	if ok == 0 {
		return false, err
	}
	return true, nil
}

// endGroup has the end of a command end what it started, too.
func endGroup(cmd *exec.Cmd) {
	cmd.Cancel = func() error {
		return exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(cmd.Process.Pid)).Run()
	}
}
