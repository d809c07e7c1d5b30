package testutil

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// Ports for services: below those that outgoing connections, and listeners that take any port, are given.
const firstPort, ports = 20_000, 10_000

// givenPorts are those that a service of this process has, or had.
var givenPorts sync.Map

// FreePort returns a port of 127.0.0.1 for a process that cannot take one that is free by itself, or has to
// have the same one again after it was killed. It was free a moment ago, and is returned once.
func FreePort() (int, error) {
	var last error
	for range 100 {
		port := firstPort + rand.IntN(ports)
		if _, given := givenPorts.LoadOrStore(port, true); given {
			continue
		}
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, listener.Close()
		}
		last = err
	}
	return 0, fmt.Errorf("no port is free: %w", last)
}
