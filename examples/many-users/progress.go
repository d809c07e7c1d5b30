package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// report says once a second how far a count has come, if it has, and when stop is called.
func report(w io.Writer, what string, total int, count func() int) (stop func()) {
	done := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for last, more := 0, true; more; {
			select {
			case <-done:
				more = false
			case <-ticker.C:
			}
			if n := count(); n != last {
				fmt.Fprintf(w, "%s %*d of %d\n", what, len(fmt.Sprint(total)), n, total)
				last = n
			}
		}
	})
	return func() {
		close(done)
		ended.Wait()
	}
}

// lockedWriter is a writer for several goroutines.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
