package main

import (
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/go-sesame/sesame/internal/testutil/faultproxy"
)

// mostMemory is what a worker may have resident, in bytes.
const mostMemory = 1 << 30

// checkVitals complains of processes that keep goroutines, or take too much memory.
func checkVitals(events []event) (problems []problem) {
	for i := range events {
		e := &events[i]
		if e.Vitals == nil {
			continue
		}
		if e.Vitals.GoroutinesAtEnd > e.Vitals.GoroutinesAtStart {
			problems = append(problems, problem{what: "goroutines", text: fmt.Sprintf("slot %d began with %d and ended with %d", e.Slot, e.Vitals.GoroutinesAtStart, e.Vitals.GoroutinesAtEnd)})
		}
		if e.Vitals.PeakMemory > mostMemory {
			problems = append(problems, problem{what: "memory", text: fmt.Sprintf("slot %d had %d MB", e.Slot, e.Vitals.PeakMemory>>20)})
		}
	}
	return problems
}

// print prints the table of figures.
func (r *run) print(e *evidence, f *figures, searched int) {
	kills := 0
	for _, s := range r.slots {
		kills += s.kills
	}
	goroutines, memory, counted := 0, uint64(0), make(map[kind]int)
	for i := range e.events {
		counted[e.events[i].Kind]++
		if v := e.events[i].Vitals; v != nil {
			goroutines, memory = max(goroutines, v.MaxGoroutines), max(memory, v.PeakMemory)
		}
	}
	crashes := 0
	if r.db != nil {
		crashes = r.db.crashes
	}
	took := time.Since(r.began)
	table := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	row := func(name string, format string, args ...any) {
		_, _ = fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("sends", "%d in %s, %.1f a second while they were begun", f.sends, took.Round(time.Second), float64(f.sends)/r.calm.Sub(r.began).Seconds())
	row("landed", "%d, %d reverted as they had to, %d given up", f.landed, f.reverted, f.gaveUp)
	row("in doubt", "%d at their deadline (%.2f %%), %d a minute after calm", f.doubtful, 100*float64(f.doubtful)/float64(max(f.sends, 1)), f.doubtfulAfterCalm)
	row("settled", "%s after calm", f.settling.Round(100*time.Millisecond))
	row("operations", "%d on chain, %d signatures of sessions, %d handed out, %d refused", len(e.chain), f.signatures, counted[handed], counted[refused])
	row("sessions", "%d granted, %d tombstones, %d revoked on chain", counted[granted], f.tombstones, counted[revoked])
	row("stuck", "%d replaced, %d cancelled", counted[replaced], counted[cancelled])
	row("disturbed", "%d kills, %d crashes of the database, %d reorgs", kills, crashes, r.world.reorgs.Load())
	row("gone", "bundlers %d times with their mempools, other services %d times", r.world.deaths.Load(), r.world.pauses.Load())
	row("processes", "%d goroutines and %d MB at most", goroutines, memory>>20)
	row("secrets", "%d looked for in %d MB", r.secrets.number(), searched>>20)
	row("seed", "%d", r.seed)
	_ = table.Flush()
	r.printFaults()
}

// printFaults prints the faults of each kind, for each service.
func (r *run) printFaults() {
	roles := []faultproxy.Role{faultproxy.Bundler, faultproxy.Paymaster, faultproxy.Node}
	counts, kinds := make(map[faultproxy.Role]map[faultproxy.Kind]int), make(map[faultproxy.Kind]bool)
	for _, role := range roles {
		counts[role] = make(map[faultproxy.Kind]int)
		for _, proxy := range r.world.proxies[role] {
			for kind, n := range proxy.Counts() {
				counts[role][kind] += n
				kinds[kind] = true
			}
		}
	}
	table := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "faults\tbundler\tpaymaster\tnode")
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		_, _ = fmt.Fprintf(table, "  %s\t%d\t%d\t%d\n", kind, counts[roles[0]][kind], counts[roles[1]][kind], counts[roles[2]][kind])
	}
	_ = table.Flush()
}
