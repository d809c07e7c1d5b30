//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package main

import "os"

// terminalWidth returns how many columns w has, 0 for not known, and whether it is a terminal at all.
func terminalWidth(w any) (columns int, terminal bool) {
	file, ok := w.(*os.File)
	if !ok {
		return 0, false
	}
	info, err := file.Stat()
	return 0, err == nil && info.Mode()&os.ModeCharDevice != 0
}
