// Bench measures the library beside what else would do the job, and beside what the job cannot do without.
//
//	go run ./internal/bench                        # everything, some ten minutes
//	go run ./internal/bench -check                 # and fail where a figure misses what it has to be
//	go run ./internal/bench -short -check          # what CI runs: ratios and counts, no times
//	go run ./internal/bench -only 'sign|store' -v  # some groups
//	go run ./internal/bench -only '^send' -cpuprofile /tmp/send.pprof
//	go run ./internal/bench -write BENCHMARKS.md   # keep the table
//
// Both sides of a ratio are measured in one run, in many short rounds, one side after the other, and the
// other way round in the next: what the machine does besides meets both. A figure is the median of the
// rounds' ratios. How far it can be trusted is measured with it, from how much the rounds differ: the noise
// is half the width of the median's 95 % interval, bootstrapped. A figure fails the check only if that
// interval is wholly on the wrong side of what is asked for.
//
// Services are processes of their own, on 127.0.0.1, which end with this one: this program as a child, and
// node with the reference SDK, from pinned npm packages. The program is built once more with CGO_ENABLED=0,
// and measures itself as a child of that kind, too.
//
// A group of figures is a file: sign.go, store.go, transport.go, send.go, trips.go, wait.go, users.go,
// memory.go (with the policy check). What they stand on is in stage.go, children in child.go.
package main
