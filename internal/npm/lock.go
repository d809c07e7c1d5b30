package npm

import (
	"context"
	"fmt"
	"os"
	"time"
)

// lockPoll is how often the lock is tried.
const lockPoll = 100 * time.Millisecond

// waitLock waits until no other process has the lock, and returns how to release it. The operating system
// releases that of a process which was killed. The file stays.
func (b *Build) waitLock(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for said := false; ; said = true {
		taken, err := tryLock(file)
		if taken {
			return func() { _ = file.Close() }, nil
		}
		if err == nil && !said {
			fmt.Fprintf(b.Stderr, "%s: waiting for another build\n", b.Name)
		}
		if err == nil {
			err = pause(ctx)
		}
		if err != nil {
			_ = file.Close()
			return nil, err
		}
	}
}

func pause(ctx context.Context) error {
	timer := time.NewTimer(lockPoll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
