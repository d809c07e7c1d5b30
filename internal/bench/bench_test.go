package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestQuantile(t *testing.T) {
	for _, test := range []struct {
		values []float64
		part   float64
		want   float64
	}{
		{[]float64{7}, 0.5, 7},
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{4, 1, 3, 2}, 0, 1},
		{[]float64{4, 1, 3, 2}, 1, 4},
		{[]float64{0, 10}, 0.25, 2.5},
	} {
		require.InDelta(t, test.want, quantile(test.values, test.part), 1e-12, "%v at %v", test.values, test.part)
	}
	values := []float64{3, 1, 2}
	median(values)
	require.Equal(t, []float64{3, 1, 2}, values, "the rounds keep their order")
}

// The median's interval holds what the values come from about as often as it says.
func TestSpreadCoversWhatItEstimates(t *testing.T) {
	random, covered := rand.New(rand.NewPCG(3, 4)), 0
	const runs = 200
	for range runs {
		values := make([]float64, 40)
		for i := range values {
			values[i] = math.Exp(random.NormFloat64()) // skewed, as times are; its median is 1
		}
		s := spreadOf(values)
		require.LessOrEqual(t, s.least, s.low)
		require.LessOrEqual(t, s.low, s.median)
		require.LessOrEqual(t, s.median, s.high)
		require.LessOrEqual(t, s.high, s.most)
		if s.low <= 1 && 1 <= s.high {
			covered++
		}
	}
	require.Greater(t, covered, runs*88/100)
	require.Less(t, covered, runs)
}

func TestSpreadOfSteadyValuesHasNoNoise(t *testing.T) {
	s := spreadOf([]float64{2, 2, 2, 2})
	require.Equal(t, spread{2, 2, 2, 2, 2}, s)
	require.Zero(t, s.noise())
	require.Equal(t, s, spreadOf([]float64{2, 2, 2, 2}), "the same values have the same interval")
}

// rounds are as many, scattered around a ratio by that much.
func rounds(ratio, scatter float64) (pairs []pair) {
	for i := range 21 {
		other := 100.0 + float64(i)
		pairs = append(pairs, pair{ours: other * (ratio + scatter*float64(i-10)/10), other: other})
	}
	return pairs
}

func TestVerdicts(t *testing.T) {
	smaller := row{other: "bare", least: 1.08, want: 1.03}
	more := row{other: "SDK", least: 18, want: 22, more: true}
	count := row{unit: allocations, least: 6, want: 2}
	for name, test := range map[string]struct {
		row   row
		pairs []pair
		want  verdict
	}{
		"as wanted":                {smaller, rounds(1.02, 0.01), asWanted},
		"met":                      {smaller, rounds(1.05, 0.01), met},
		"missed":                   {smaller, rounds(1.20, 0.01), missed},
		"missed, within noise":     {smaller, rounds(1.10, 0.30), withinIt},
		"times as wanted":          {more, rounds(1.0/25, 0.001), asWanted},
		"times met":                {more, rounds(1.0/20, 0.001), met},
		"times missed":             {more, rounds(1.0/10, 0.001), missed},
		"times missed, with noise": {more, rounds(1.0/17, 0.03), withinIt},
		"count as wanted":          {count, []pair{{ours: 2}, {ours: 2}}, asWanted},
		"count met":                {count, []pair{{ours: 6}}, met},
		"count missed":             {count, []pair{{ours: 7}, {ours: 7}}, missed},
		"nothing at all is wanted": {row{unit: allocations}, []pair{{ours: 1}}, missed},
		"nothing at all is there":  {row{unit: allocations}, []pair{{ours: 0}}, asWanted},
		"nothing is asked":         {row{other: "bare", free: true}, rounds(9, 1), noVerdict},
	} {
		r := result{test.row, test.pairs}
		require.Equal(t, test.want, r.verdict(), name)
	}
}

func TestFigures(t *testing.T) {
	pairs := []pair{{10, 5}, {20, 40}}
	require.Equal(t, []float64{2, 0.5}, (&result{row{other: "bare"}, pairs}).figures())
	require.Equal(t, []float64{0.5, 2}, (&result{row{other: "SDK", more: true}, pairs}).figures())
	require.Equal(t, []float64{10, 20}, (&result{row{}, pairs}).figures())
}

// A row that misses fails the check, in the short form too unless it is a time; one within its noise does
// not.
func TestCheck(t *testing.T) {
	missing := group{name: "missing", short: true, measure: func(_ context.Context, b *bench) error {
		b.add(row{name: "too slow", other: "bare", least: 1.08, want: 1.03}, rounds(1.2, 0.01))
		return nil
	}}
	slow := group{name: "time", short: true, measure: func(_ context.Context, b *bench) error {
		b.add(row{name: "a slow machine", unit: nanoseconds, least: 250, want: 150, absolute: true}, []pair{{ours: 300}})
		return nil
	}}
	noisy := group{name: "noisy", short: true, measure: func(_ context.Context, b *bench) error {
		b.add(row{name: "hard to tell", other: "bare", least: 1.08, want: 1.03}, rounds(1.10, 0.3))
		return nil
	}}
	near := group{name: "near", short: true, measure: func(_ context.Context, b *bench) error {
		b.add(row{name: "nearly", other: "bare", least: 1.08, want: 1.03}, rounds(1.12, 0.01))
		b.add(row{name: "nearly as often", other: "SDK", least: 15, want: 30, more: true}, []pair{{1, 14}})
		return nil
	}}
	failing := group{name: "failing", measure: func(context.Context, *bench) error { return errors.New("no services") }}
	for name, test := range map[string]struct {
		options options
		groups  []group
		fails   string
	}{
		"missed":                             {options{check: true}, []group{noisy, missing}, "figures miss what they have to be"},
		"missed in the short form":           {options{check: true, short: true}, []group{missing}, "figures miss what they have to be"},
		"missed by little":                   {options{check: true}, []group{near}, "figures miss what they have to be"},
		"missed by little in the short form": {options{check: true, short: true}, []group{near}, ""},
		"missed, not checked":                {options{}, []group{missing}, ""},
		"missed, not chosen":                 {options{check: true, only: "noisy"}, []group{noisy, missing}, ""},
		"within noise":                       {options{check: true}, []group{noisy}, ""},
		"a time":                             {options{check: true}, []group{slow}, "figures miss what they have to be"},
		"a time, in the short form":          {options{check: true, short: true}, []group{slow}, ""},
		"not measured":                       {options{}, []group{failing}, "failing: no services"},
		"not in the short form":              {options{check: true, short: true}, []group{failing, noisy}, ""},
		"nothing is measured":                {options{only: "^x"}, []group{noisy}, `no group fits "^x"`},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := run(t.Context(), &test.options, test.groups, &out, io.Discard)
			if test.fails == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.fails)
			if errors.Is(err, errMissed) {
				require.Contains(t, out.String(), "MISSED")
			}
		})
	}
}

// A figure that misses at first is measured again, and one that does not is left as it was.
func TestMissesAreMeasuredAgain(t *testing.T) {
	times := 0
	moody := group{name: "moody", short: true, measure: func(_ context.Context, b *bench) error {
		times++
		b.add(row{name: "slow at first", other: "bare", least: 1.08, want: 1.03}, rounds([]float64{1.2, 1.2, 1.05}[times-1], 0.001))
		b.add(row{name: "slow later", other: "bare", least: 1.08, want: 1.03}, rounds([]float64{1.02, 1.2, 1.2}[times-1], 0.001))
		return nil
	}}
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &options{check: true}, []group{moody}, &out, io.Discard))
	require.Equal(t, 3, times)
	require.NotContains(t, out.String(), "MISSED")

	times = 0
	require.NoError(t, run(t.Context(), &options{}, []group{moody}, &out, io.Discard))
	require.Equal(t, 1, times, "nothing is checked")
}

func TestTable(t *testing.T) {
	results := []result{
		{row{name: "signature", other: "bare", unit: nanoseconds, least: 1.08, want: 1.03}, []pair{{41_649, 40_000}, {42_000, 40_000}, {41_000, 40_000}}},
		{row{name: "beside the SDK", ours: "cgo", other: "SDK", unit: nanoseconds, least: 18, want: 22, more: true}, []pair{{40_000, 1_200_000}}},
		{row{name: "allocations", unit: allocations, least: 6, want: 2}, []pair{{ours: 26}}},
		{row{name: "for the eye", other: "bare", unit: sizes, free: true}, []pair{{5, 2}}},
	}
	var out strings.Builder
	printTable(&out, results)
	require.Equal(t, strings.TrimPrefix(`
figure          ours       other      ratio      range                noise   at least    want
signature       41.6µs     40µs bare  1.04       1.02–1.05            ±0.013  ≤ 1.08      ≤ 1.03      met
beside the SDK  40µs cgo   1.2ms SDK  30         30–30                ±0      ≥ 18        ≥ 22        as wanted
allocations     26 allocs             26 allocs  26 allocs–26 allocs  ±0      ≤ 6 allocs  ≤ 2 allocs  MISSED
for the eye     5 B        2 B bare   2.50       2.50–2.50            ±0
`, "\n"), out.String())
	require.Equal(t, strings.TrimPrefix(`
| figure | ours | other | ratio | range | noise | at least | want |  |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| allocations | 26 allocs |  | 26 allocs | 26 allocs–26 allocs | ±0 | ≤ 6 allocs | ≤ 2 allocs | MISSED |
`, "\n"), markdown(results[2:3]))
}

func TestInsert(t *testing.T) {
	document := "# Title\n" + beginMark + "old\n" + endMark + "rest\n"
	got, err := insert(document, "new\n")
	require.NoError(t, err)
	require.Equal(t, "# Title\n"+beginMark+"new\n"+endMark+"rest\n", got)
	again, err := insert(got, "new\n")
	require.NoError(t, err)
	require.Equal(t, got, again)
	for _, without := range []string{"", beginMark, endMark, endMark + beginMark} {
		_, err := insert(without, "new\n")
		require.ErrorIs(t, err, errNoMarks)
	}
}

// Sides take turns in being first.
func TestInterleave(t *testing.T) {
	var order string
	named := func(name string, value float64) side {
		return func(context.Context) (float64, error) {
			order += name
			return value, nil
		}
	}
	values, err := interleave(t.Context(), 3, named("a", 1), named("b", 2))
	require.NoError(t, err)
	require.Equal(t, "abbaab", order)
	require.Equal(t, [][]float64{{1, 1, 1}, {2, 2, 2}}, values)
	_, err = interleave(t.Context(), 3, named("a", 1), func(context.Context) (float64, error) { return 0, io.ErrUnexpectedEOF })
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}
