// Package durable makes names on disk survive a power cut.
package durable

// SyncDir does nothing: Windows cannot sync a directory, and NTFS journals its names.
func SyncDir(string) error { return nil }
