package e2e

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// loopbackPrefix is 127.0.0.1 as /proc/net/tcp writes it, listening the state of a socket that listens.
const (
	loopbackPrefix = "0100007F:"
	listening      = "0A"
)

// checkListening returns an error if a process listens on anything but 127.0.0.1, or on nothing at all. It
// knows what Linux tells in /proc, and nothing elsewhere.
func checkListening(pid int) error {
	if _, err := os.Stat("/proc/net/tcp"); err != nil {
		return nil
	}
	own, err := sockets(pid)
	if err != nil {
		return err
	}
	found := 0
	for _, table := range []string{"tcp", "tcp6"} {
		err := eachListener(filepath.Join("/proc/net", table), func(address, inode string) error {
			if !own[inode] {
				return nil
			}
			if found++; !strings.HasPrefix(address, loopbackPrefix) {
				return fmt.Errorf("process %d listens on %s (as /proc/net/%s has it), not on 127.0.0.1", pid, address, table)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if found == 0 {
		return fmt.Errorf("process %d listens nowhere", pid)
	}
	return nil
}

// sockets are the inodes of a process's sockets.
func sockets(pid int) (map[string]bool, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("process %d does not run", pid)
	}
	inodes := make(map[string]bool)
	for _, file := range files {
		target, err := os.Readlink(file)
		if err != nil {
			continue // closed meanwhile
		}
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return inodes, nil
}

// eachListener tells of each listening socket in a table of the kernel's.
func eachListener(table string, tell func(address, inode string) error) error {
	file, err := os.Open(table)
	if os.IsNotExist(err) { // no IPv6
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != listening {
			continue
		}
		if err := tell(fields[1], fields[9]); err != nil {
			return err
		}
	}
	return nil
}
