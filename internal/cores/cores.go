// Package cores spreads work that is nothing but computing over the cores there are.
package cores

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// alone is how many pieces one goroutine does: for fewer, more goroutines are not worth it.
const alone = 4

// Each calls do for the numbers below n, each a piece of some microseconds, on several cores where they are
// many. It returns when all is done.
func Each(n int, do func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n/alone)
	if workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	group.Wait()
}
