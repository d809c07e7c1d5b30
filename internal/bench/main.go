package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime/pprof"
	"slices"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	short, check, verbose bool
	clean                 bool
	only                  string
	write                 string
	profile               string
	role                  string
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := new(options)
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.BoolVar(&o.short, "short", false, "measure the ratios and counts that take little time")
	set.BoolVar(&o.check, "check", false, "fail where a figure misses what it has to be, by more than its noise")
	set.BoolVar(&o.verbose, "v", false, "say how it goes")
	set.BoolVar(&o.clean, "clean", false, "measure nothing, and remove the reference SDK that was installed")
	set.StringVar(&o.only, "only", "", "measure the groups that a regular `expression` fits")
	set.StringVar(&o.write, "write", "", "put the table into a `file`, between its marks")
	set.StringVar(&o.profile, "cpuprofile", "", "write a profile of this process to a `file`, for pprof")
	set.StringVar(&o.role, "role", "", "be the child of another bench in that `role`")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case set.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", set.Arg(0))
	case o.write != "" && (o.short || o.only != ""):
		return nil, errors.New("-write keeps the whole table: without -short and -only")
	}
	return o, nil
}

// bench is a run.
type bench struct {
	short   bool
	log     io.Writer
	results []result
}

// rounds are so many, or a third of them in the short form.
func (b *bench) rounds(n int) int {
	if b.short {
		return max(3, n/3)
	}
	return n
}

// add notes a figure.
func (b *bench) add(r row, pairs []pair) {
	b.results = append(b.results, result{r, pairs})
	printTable(b.log, b.results[len(b.results)-1:])
}

// group is some figures that are measured together.
type group struct {
	name string
	// short says that the short form has it: it takes little time, and stands on no other machine's moods.
	short   bool
	measure func(ctx context.Context, b *bench) error
}

// allGroups are in the order of the table.
func allGroups() []group {
	return []group{
		{"sign", true, measureSigning},
		{"versus", false, measureVersus}, // how slow the SDK is with a large tree depends on the machine
		{"store", true, measureStore},
		{"transport", true, measureTransport},
		{"send", true, measureSend},
		{"versus-send", true, measureVersusSend},
		{"trips", true, measureTrips},
		{"wait", true, measureWait},
		{"users", false, measureUsers},
		{"policy", true, measurePolicy},
		{"memory", true, measureMemory},
	}
}

// roles are what this program is as a child.
func roles() map[string]func() error {
	return map[string]func() error{
		"signer":   serveSignatures,
		"services": serveServices,
		"replay":   serveReplay,
	}
}

// errMissed is the error of a check that failed.
var errMissed = errors.New("figures miss what they have to be")

func run(ctx context.Context, o *options, groups []group, stdout, stderr io.Writer) error {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	b := &bench{short: o.short, log: io.Discard}
	if o.verbose {
		b.log = stderr
	}
	start := time.Now()
	measured := make(map[string]group) // by the names of rows
	for _, g := range groups {
		if !only.MatchString(g.name) || o.short && !g.short {
			continue
		}
		before := len(b.results)
		if err := b.measure(ctx, g, stderr); err != nil {
			return err
		}
		for _, r := range b.results[before:] {
			measured[r.name] = g
		}
	}
	if o.check {
		if err := b.measureAgain(ctx, measured, stderr); err != nil {
			return err
		}
	}
	if len(b.results) == 0 {
		return fmt.Errorf("no group fits %q", o.only)
	}
	printTable(stdout, b.results)
	if o.write != "" {
		if err := write(o.write, b.results, time.Since(start)); err != nil {
			return err
		}
	}
	if failed := misses(b.results, o.short); o.check && len(failed) > 0 {
		_, _ = fmt.Fprintln(stdout)
		printTable(stdout, failed)
		return errMissed
	}
	return nil
}

// measure measures a group.
func (b *bench) measure(ctx context.Context, g group, stderr io.Writer) error {
	begun := time.Now()
	if err := g.measure(ctx, b); err != nil {
		return fmt.Errorf("%s: %w", g.name, err)
	}
	_, _ = fmt.Fprintf(stderr, "%s: %s\n", g.name, time.Since(begun).Round(100*time.Millisecond))
	return nil
}

// tries is how often a figure has to miss before the check fails: rounds one after another tell less of the
// noise than measurements some time apart.
const tries = 3

// measureAgain measures the groups of figures that miss again. Of those that do not miss then it keeps what
// they are.
func (b *bench) measureAgain(ctx context.Context, measured map[string]group, stderr io.Writer) error {
	for range tries - 1 {
		again := make(map[string]group)
		for _, r := range misses(b.results, b.short) {
			again[measured[r.name].name] = measured[r.name]
		}
		for _, g := range again {
			_, _ = fmt.Fprintf(stderr, "%s: once more, as something misses\n", g.name)
			second := &bench{short: b.short, log: b.log}
			if err := second.measure(ctx, g, stderr); err != nil {
				return err
			}
			b.results = better(b.results, second.results)
		}
	}
	return nil
}

// better has the second results of figures that missed at first.
func better(first, second []result) []result {
	byName := make(map[string]result)
	for _, r := range second {
		byName[r.name] = r
	}
	all := slices.Clone(first)
	for i := range all {
		if now, known := byName[all[i].name]; known && all[i].verdict() == missed {
			all[i] = now
		}
	}
	return all
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil && o.role != "" {
		err = play(o.role)
	} else if err == nil && o.clean {
		err = removeSDK()
	} else if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err = profiled(o.profile, func() error { return run(ctx, o, allGroups(), os.Stdout, os.Stderr) })
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// profiled does something while a profile is written, where one is asked for.
func profiled(path string, do func() error) error {
	if path == "" {
		return do()
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err = pprof.StartCPUProfile(file); err == nil {
		err = do()
		pprof.StopCPUProfile()
	}
	return errors.Join(err, file.Close())
}

func play(role string) error {
	child, ok := roles()[role]
	if !ok {
		return fmt.Errorf("no role %q", role)
	}
	return child()
}
