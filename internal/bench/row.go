package main

// row is one figure: what is measured beside what, and what it has to be.
type row struct {
	// name says what the figure is, ours and other what its two sides are. A figure without other is what
	// ours is, in unit.
	name, ours, other string
	// unit is that of both sides: "ns", "allocs", "B", "trips" or "1/s".
	unit unit
	// least is what the figure has to be, want what it should be. Below them is good, unless more is: then
	// the figure is how many times the other side's time ours is.
	least, want float64
	more        bool
	// absolute is a figure that depends on the machine alone, such as nanoseconds, or how long its disk takes
	// for a sync: none to check in CI.
	absolute bool
	// free is a figure of which nothing is asked: it explains another.
	free bool
}

// pair is one round of a row.
type pair struct{ ours, other float64 }

// result is a row with its rounds.
type result struct {
	row
	pairs []pair
}

// figures are the rounds' ratios or, where there is nothing to compare with, what ours is.
func (r *result) figures() []float64 {
	figures := make([]float64, len(r.pairs))
	for i, p := range r.pairs {
		switch {
		case r.other == "":
			figures[i] = p.ours
		case r.more:
			figures[i] = p.other / p.ours
		default:
			figures[i] = p.ours / p.other
		}
	}
	return figures
}

// sides are what both sides are, in the row's unit.
func (r *result) sides() (ours, other []float64) {
	for _, p := range r.pairs {
		ours, other = append(ours, p.ours), append(other, p.other)
	}
	return ours, other
}

// verdict is how a figure stands to what is asked of it.
type verdict string

const (
	asWanted  verdict = "as wanted"
	met       verdict = "met"
	withinIt  verdict = "within noise" // the median misses, but what was measured does not tell it from what is asked for
	missed    verdict = "MISSED"
	noVerdict verdict = "" // nothing is asked of it
)

// verdict judges the figure.
func (r *result) verdict() verdict {
	s, good := spreadOf(r.figures()), func(value, bound float64) bool { return value <= bound }
	best := s.low
	if r.more {
		good, best = func(value, bound float64) bool { return value >= bound }, s.high
	}
	switch {
	case r.free:
		return noVerdict
	case good(s.median, r.want):
		return asWanted
	case good(s.median, r.least):
		return met
	case good(best, r.least):
		return withinIt
	}
	return missed
}

// slack is what the short form, whose machine is anybody's, allows a ratio besides: its caches and its disk
// are others than those that the figures are for.
const slack = 1.1

// misses are the rows that fail the check: by more than their noise. In the short form those that are
// absolute are not judged, and ratios have some slack.
func misses(results []result, short bool) (failed []result) {
	for _, r := range results {
		judged := r
		if short && r.other != "" && r.more {
			judged.least /= slack
		} else if short && r.other != "" {
			judged.least *= slack
		}
		if judged.verdict() == missed && !(short && r.absolute) {
			failed = append(failed, r)
		}
	}
	return failed
}
