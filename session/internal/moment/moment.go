// Package moment writes the moments that the contracts keep, unix seconds, for people.
package moment

import (
	"fmt"
	"time"
)

// LastDate is the last second of the year 9999. Beyond it the calendar has no agreed form; the number does.
const LastDate = 253402300799

// Format returns the second as a date in UTC, or as its number beyond [LastDate].
func Format(s uint64) string {
	if s > LastDate {
		return fmt.Sprintf("second %d", s)
	}
	return time.Unix(int64(s), 0).UTC().Format(time.RFC3339)
}
