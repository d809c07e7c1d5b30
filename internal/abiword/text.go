package abiword

import "fmt"

// Count says how many there are of a noun: "1 byte", "2 bytes".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Describe says how much data there is and how it begins, for messages.
func Describe(data []byte) string {
	const selectorSize = 4
	if len(data) == 0 {
		return "empty data"
	}
	return fmt.Sprintf("data 0x%x… of %s", data[:min(len(data), selectorSize)], Count(len(data), "byte"))
}
