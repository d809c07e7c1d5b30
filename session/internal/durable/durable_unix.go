//go:build !windows

// Package durable makes names on disk survive a power cut.
package durable

import (
	"errors"
	"os"
)

// SyncDir makes the names in a directory durable: files made, renamed or removed there.
func SyncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
