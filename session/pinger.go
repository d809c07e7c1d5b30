package session

import "context"

// Pinger is a [Store] that says whether it can serve now, for who asks whether a process is ready. All stores
// of this module are.
type Pinger interface {
	// Ping returns an error unless the store can be read now: it is open, its data is there, and of a format
	// that this program knows. It is cheap, changes and makes nothing, and ends in any case. That the data is
	// all there and undamaged it does not say.
	Ping(ctx context.Context) error
}
