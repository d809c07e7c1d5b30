package main

import (
	"math"
	"math/rand/v2"
	"slices"
)

// quantile is the value below which that part of the values is, between two of them by their distance. There
// is at least one value.
func quantile(values []float64, part float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	at := part * float64(len(sorted)-1)
	low := int(math.Floor(at))
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// spread is a median with how far it can be trusted, and the range of what it is the median of.
type spread struct {
	median float64
	// low and high are the ends of the median's 95 % interval.
	low, high float64
	least     float64
	most      float64
}

// resamples is how often the median is taken anew to find its interval.
const resamples = 2000

// spreadOf bootstraps the interval: from as many values drawn out of the values as there are, the median
// again and again. The draws are the same each time, so that the same values have the same interval.
func spreadOf(values []float64) spread {
	random := rand.New(rand.NewPCG(1, 2))
	drawn, medians := make([]float64, len(values)), make([]float64, resamples)
	for i := range medians {
		for n := range drawn {
			drawn[n] = values[random.IntN(len(values))]
		}
		medians[i] = median(drawn)
	}
	return spread{
		median: median(values),
		low:    quantile(medians, 0.025),
		high:   quantile(medians, 0.975),
		least:  slices.Min(values),
		most:   slices.Max(values),
	}
}

// noise is half the width of the median's interval.
func (s spread) noise() float64 { return (s.high - s.low) / 2 }
