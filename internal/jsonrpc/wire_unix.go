//go:build unix

package jsonrpc

import "syscall"

// canProbe says that connections can be looked at without waiting.
const canProbe = true

// peek looks whether there is something to read, which there is not on a connection that is open and idle.
func (c *wireConn) peek(fd uintptr) bool {
	var b [1]byte
	_, err := syscall.Read(int(fd), b[:])
	c.silent = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
	return true // do not wait
}
