package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/riverqueue/river"
)

// tally is what became of a process's jobs.
type tally struct{ done, waiting, failed, cancelled int }

func (t *tally) String() string {
	return fmt.Sprintf("%d done, %d put off, %d failed for now, %d for good", t.done, t.waiting, t.failed, t.cancelled)
}

// report says once a second what became of jobs, if anything did, and why where they failed. Stop says it
// once more.
func report(w io.Writer, events <-chan *river.Event) (stop func()) {
	done := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		var now, last tally
		tell := func() {
			if now != last {
				fmt.Fprintln(w, &now)
				last = now
			}
		}
		defer tell()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				tell()
			case event, open := <-events:
				if !open {
					return
				}
				now.count(w, event)
			}
		}
	})
	return func() {
		close(done)
		ended.Wait()
	}
}

func (t *tally) count(w io.Writer, event *river.Event) {
	switch event.Kind {
	case river.EventKindJobCompleted:
		t.done++
	case river.EventKindJobSnoozed:
		t.waiting++
	case river.EventKindJobFailed:
		t.failed++
	case river.EventKindJobCancelled:
		t.cancelled++
	}
	if n := len(event.Job.Errors); n > 0 && (event.Kind == river.EventKindJobFailed || event.Kind == river.EventKindJobCancelled) {
		fmt.Fprintf(w, "job %d, try %d: %s\n", event.Job.ID, event.Job.Attempt, event.Job.Errors[n-1].Error)
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
