package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// unit is what the sides of a row are measured in.
type unit string

const (
	nanoseconds unit = "ns"
	allocations unit = "allocs"
	sizes       unit = "B"
	trips       unit = "trips"
	requests    unit = "requests"
)

// format is a value in the unit.
func (u unit) format(value float64) string {
	if u == nanoseconds {
		return time.Duration(value).Round(roundTo(value)).String()
	}
	return number(value) + " " + string(u)
}

// roundTo leaves three digits of a time.
func roundTo(nanoseconds float64) time.Duration {
	digits := math.Floor(math.Log10(max(nanoseconds, 1)))
	return time.Duration(max(1, math.Pow(10, digits-2)))
}

// number has as many digits as tell something.
func number(value float64) string {
	switch size := math.Abs(value); {
	case size >= 100 || value == math.Trunc(value):
		return fmt.Sprintf("%.0f", value)
	case size >= 10:
		return fmt.Sprintf("%.1f", value)
	case size >= 0.095:
		return fmt.Sprintf("%.2f", value)
	}
	return fmt.Sprintf("%.2g", value)
}

var heading = []string{"figure", "ours", "other", "ratio", "range", "noise", "at least", "want", ""}

// cells are the row as the table has it.
func (r *result) cells() []string {
	s := spreadOf(r.figures())
	ours, other := r.sides()
	cells := []string{r.name, r.unit.format(median(ours)) + after(r.ours), "", r.figure(s.median), r.figure(s.least) + "–" + r.figure(s.most), "±" + number(s.noise()), r.bound(r.least), r.bound(r.want), string(r.verdict())}
	if r.other != "" {
		cells[2] = r.unit.format(median(other)) + after(r.other)
	}
	if r.verdict() == noVerdict {
		cells[6], cells[7] = "", ""
	}
	return cells
}

func after(what string) string {
	if what == "" {
		return ""
	}
	return " " + what
}

// figure is a ratio, or a value in the row's unit.
func (r *result) figure(value float64) string {
	if r.other == "" {
		return r.unit.format(value)
	}
	return number(value)
}

func (r *result) bound(value float64) string {
	if r.more {
		return "≥ " + r.figure(value)
	}
	return "≤ " + r.figure(value)
}

// printTable prints the rows in columns.
func printTable(w io.Writer, results []result) {
	rows := [][]string{heading}
	for i := range results {
		rows = append(rows, results[i].cells())
	}
	widths := make([]int, len(heading))
	for _, cells := range rows {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, cells := range rows {
		var line strings.Builder
		for i, cell := range cells {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		_, _ = fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// markdown is the same table for a document.
func markdown(results []result) string {
	var text strings.Builder
	line := func(cells []string) { text.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(heading)
	line(strings.Split(strings.Repeat("---,", len(heading)-1)+"---", ","))
	for i := range results {
		line(results[i].cells())
	}
	return text.String()
}
