package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// cpuTime is CPU time since some beginning, as Linux counts it for each process and for the machine, in ticks
// of 10 ms.
type cpuTime struct {
	workers, services, database time.Duration
	// busy and all are those of all cores, whatever ran on them.
	busy, all time.Duration
	// log is what the database wrote ahead, in bytes.
	log int64
}

// tick is the unit of /proc, which Linux has kept at this for all of its architectures.
const tick = 10 * time.Millisecond

// look reads what the processes have used. The database counts if it is on this machine: its postmaster is
// the parent of the process that serves a connection, and counts what processes that ended had used.
func look(ctx context.Context, pool *pgxpool.Pool, services *process, workers []*process) (cpuTime, error) {
	var u cpuTime
	for _, w := range workers {
		used, err := usedBy(w.cmd.Process.Pid, false)
		if err != nil {
			return cpuTime{}, err
		}
		u.workers += used
	}
	var err error
	if u.services, err = usedBy(services.cmd.Process.Pid, false); err != nil {
		return cpuTime{}, err
	}
	if u.database, err = usedByDatabase(ctx, pool); err != nil {
		return cpuTime{}, err
	}
	if err := pool.QueryRow(ctx, "select (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint").Scan(&u.log); err != nil {
		return cpuTime{}, fmt.Errorf("write-ahead log of the database: %w", err)
	}
	u.busy, u.all, err = usedByAll()
	return u, err
}

func (u cpuTime) since(before cpuTime) cpuTime {
	return cpuTime{
		workers: u.workers - before.workers, services: u.services - before.services, database: u.database - before.database,
		busy: u.busy - before.busy, all: u.all - before.all, log: u.log - before.log,
	}
}

// idle is what no core did, others what the cores did for programs that are not ours.
func (u cpuTime) idle() time.Duration   { return u.all - u.busy }
func (u cpuTime) others() time.Duration { return u.busy - u.workers - u.services - u.database }

// stat returns the fields of /proc/PID/stat from the third on.
func stat(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, fmt.Errorf("CPU time is read from /proc, of processes on this machine: %w", err)
	}
	_, fields, _ := bytes.Cut(text, []byte(") ")) // behind the program's name
	split := strings.Fields(string(fields))
	if len(split) < 15 {
		return nil, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(split))
	}
	return split, nil
}

// usedBy is the CPU time of a process, with that of its children that have ended if asked for.
func usedBy(pid int, children bool) (time.Duration, error) {
	fields, err := stat(pid)
	if err != nil {
		return 0, err
	}
	last := 13
	if children {
		last = 15
	}
	return ticks(fields[11:last])
}

func ticks(fields []string) (sum time.Duration, err error) {
	for _, field := range fields {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("CPU time %q: %w", field, err)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// usedByDatabase is the CPU time of the postmaster and of all its children.
func usedByDatabase(ctx context.Context, pool *pgxpool.Pool) (time.Duration, error) {
	var backend int
	if err := pool.QueryRow(ctx, "select pg_backend_pid()").Scan(&backend); err != nil {
		return 0, fmt.Errorf("process of the database: %w", err)
	}
	fields, err := stat(backend)
	if err != nil {
		return 0, err
	}
	postmaster, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0, err
	}
	sum, err := usedBy(postmaster, true)
	if err != nil {
		return 0, err
	}
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, entry := range processes {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		fields, err := stat(pid)
		if err != nil || fields[1] != strconv.Itoa(postmaster) {
			continue // ended just now, or somebody else's
		}
		used, err := ticks(fields[11:13])
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// usedByAll is what all cores have done, and had time for.
func usedByAll() (busy, all time.Duration, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line) // cpu user nice system idle iowait irq softirq steal …
	if len(fields) < 9 {
		return 0, 0, fmt.Errorf("/proc/stat has %d fields", len(fields))
	}
	if all, err = ticks(fields[1:9]); err != nil {
		return 0, 0, err
	}
	idle, err := ticks(fields[4:6])
	return all - idle, all, err
}
