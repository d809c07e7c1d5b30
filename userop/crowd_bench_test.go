package userop_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

// BenchmarkManyPending waits for many operations at once, in real time: each is included at some time within
// half a minute, in blocks of two seconds, and services take 20 ms to answer. Run it with -benchtime 1x.
func BenchmarkManyPending(b *testing.B) {
	for _, n := range []int{1, 64, 2_000, 10_000} {
		for _, chain := range []bool{true, false} {
			b.Run(fmt.Sprintf("%d/chain=%t", n, chain), func(b *testing.B) {
				for range b.N {
					waitForMany(b, n, chain)
				}
			})
		}
	}
}

func waitForMany(b *testing.B, n int, chain bool) {
	t := newTown()
	t.latency = 20 * time.Millisecond
	cfg := userop.SenderConfig{ChainID: testChainID, EntryPoint: entryPoint, Bundler: townBundler{t}}
	if chain {
		cfg.Chain = t
	}
	sending, err := userop.NewSender(cfg)
	require.NoError(b, err)
	const blocks, blockTime = 15, 2 * time.Second
	pending, plan := make([]*userop.Pending, n), make([][]landing, blocks)
	for i := range n {
		op := resident(i)
		pending[i] = sending.WatchOperation(op)
		plan[i%blocks] = append(plan[i%blocks], landing{pending[i].Hash(), seatOf(op)})
	}
	before, idle := heapNow(), runtime.NumGoroutine()
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	var mu sync.Mutex
	var all, worst time.Duration
	var waiting sync.WaitGroup
	waiting.Add(n)
	start := time.Now()
	for _, p := range pending {
		await(ctx, p, func(receipt *userop.Receipt, err error) {
			defer waiting.Done()
			if err != nil {
				b.Error(err)
				return
			}
			now := time.Now()
			late := now.Sub(t.landedAt(p.Hash()))
			mu.Lock()
			defer mu.Unlock()
			all, worst = all+late, max(worst, late)
		})
	}
	time.Sleep(time.Second)
	bytes := float64(heapNow()-before) / float64(n)
	goroutines := 0
	for _, ops := range plan {
		time.Sleep(blockTime)
		t.mine(ops...)
		goroutines = max(goroutines, runtime.NumGoroutine()-idle)
	}
	stop := make(chan struct{})
	var mining sync.WaitGroup
	mining.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(blockTime):
				t.mine()
			}
		}
	})
	waiting.Wait()
	took := time.Since(start)
	close(stop)
	mining.Wait()
	b.ReportMetric(float64(t.count("all"))/took.Seconds(), "requests/s")
	b.ReportMetric(float64(t.busiest()), "most-requests/s")
	b.ReportMetric(float64(goroutines), "goroutines")
	b.ReportMetric(bytes, "B/pending")
	b.ReportMetric(all.Seconds()/float64(n), "s-late-mean")
	b.ReportMetric(worst.Seconds(), "s-late-most")
}

func heapNow() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
