package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// reading is what counts at a moment.
type reading struct {
	node, bundler, paymaster   int64
	commits, wal, rows, update int64
	outbox                     int64 // bytes of the outbox with its indexes
	cpu                        time.Duration
}

func (w *world) read(ctx context.Context) (reading, error) {
	r := reading{node: w.chain.requests.Load(), bundler: int64(len(w.model.Bundler.Requests())), paymaster: int64(len(w.model.Paymaster.Requests()))}
	if err := pause(ctx, 2*time.Second); err != nil { // statistics of sessions are told late
		return r, err
	}
	err := w.pool.QueryRow(ctx, `select xact_commit, tup_inserted, tup_updated, pg_current_wal_lsn() - '0/0'::pg_lsn,
		pg_total_relation_size('sesame_outbox') from pg_stat_database where datname = current_database()`).
		Scan(&r.commits, &r.rows, &r.update, &r.wal, &r.outbox)
	if err != nil {
		return r, fmt.Errorf("read the database's statistics: %w", err)
	}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return r, err
	}
	r.cpu = time.Duration(used.Utime.Nano() + used.Stime.Nano())
	return r, nil
}

// tables tells what the database keeps.
func (w *world) tables(ctx context.Context, out io.Writer, title string) error {
	fmt.Fprintf(out, "%s\n\n  table                  rows     MB  of them indexes  bytes a row, with indexes\n", title)
	for _, table := range []string{"sesame_sessions", "sesame_leaves", "sesame_keys", "sesame_outbox", "sesame_lanes"} {
		var rows, all, indexes int64
		if err := w.pool.QueryRow(ctx, `select count(*), pg_total_relation_size('`+table+`'), pg_indexes_size('`+table+`') from `+table).
			Scan(&rows, &all, &indexes); err != nil {
			return err
		}
		fmt.Fprintf(out, "  %-16s %10d %6d %16d %26d\n", table, rows, all>>20, indexes>>20, all/max(rows, 1))
	}
	fmt.Fprintln(out)
	return nil
}

// parts is how many parts of the day are told apart.
const parts = 6

func (w *world) summarize(ctx context.Context, out io.Writer) error {
	if err := w.tables(ctx, out, "The database after it"); err != nil {
		return err
	}
	fmt.Fprintf(out, "The day, of %s: a block each %s\n\n  hours  sends  a second   p50 ms   p95 ms   p99 ms\n", w.day, w.block)
	for part := range parts {
		from, to := w.day*time.Duration(part)/parts, w.day*time.Duration(part+1)/parts
		w.latencies(out, fmt.Sprintf("%02d-%02d", part*24/parts, (part+1)*24/parts), from, to)
	}
	w.latencies(out, "all", 0, w.day+1)
	for text, n := range w.failed {
		fmt.Fprintf(out, "  failed %d: %s\n", n, text)
	}
	n := float64(max(len(w.sends), 1))
	each := func(before, after int64) float64 { return float64(after-before) / n }
	b, a := &w.before, &w.after
	fmt.Fprintf(out, `
A send, of %d
  requests         %.1f to the node, %.1f to the bundler, %.1f to the paymaster
  database         %.1f transactions, %.1f rows inserted, %.1f updated, %.1f KB of write-ahead log, %.0f bytes kept in the outbox
  CPU              %.1f ms of the process, the model of the chain included
The process        %d MB resident at most, %d connections to the database at most
`, len(w.sends), each(b.node, a.node), each(b.bundler, a.bundler), each(b.paymaster, a.paymaster),
		each(b.commits, a.commits), each(b.rows, a.rows), each(b.update, a.update), each(b.wal, a.wal)/1024, each(b.outbox, a.outbox),
		(a.cpu-b.cpu).Seconds()*1000/n, peakMemory()>>20, w.connections)
	return w.once(ctx)
}

func (w *world) latencies(out io.Writer, name string, from, to time.Duration) {
	var took []time.Duration
	for _, s := range w.sends {
		if s.at >= from && s.at < to {
			took = append(took, s.took)
		}
	}
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	at := func(share float64) int64 { return took[int(share*float64(len(took)-1))].Milliseconds() }
	seconds := (min(to, w.day) - from).Seconds()
	fmt.Fprintf(out, "  %-5s %6d %9.1f %8d %8d %8d\n", name, len(took), float64(len(took))/seconds, at(0.5), at(0.95), at(0.99))
}

// once requires that the model has each send once.
func (w *world) once(ctx context.Context) error {
	failed := 0
	for _, n := range w.failed {
		failed += n
	}
	landed := 0
	for _, user := range w.users {
		n, err := w.nfts(ctx, user)
		if err != nil {
			return err
		}
		landed += n
	}
	if landed < len(w.sends) || landed > len(w.sends)+failed {
		return fmt.Errorf("%d sends succeeded and %d failed, and the chain has %d", len(w.sends), failed, landed)
	}
	return nil
}

func (w *world) nfts(ctx context.Context, user common.Address) (int, error) {
	data, err := balanceOf(user)
	if err != nil {
		return 0, err
	}
	answer, err := w.model.Chain.Call(ctx, w.model.Contracts.NFT, data)
	if err != nil {
		return 0, err
	}
	return int(common.BytesToHash(answer).Big().Int64()), nil
}

// peakMemory is the most that the process had resident, in bytes; 0 where the system does not tell.
func peakMemory() uint64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, _ := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}
