package abi

import "strings"

// blankComments returns text with spaces for its comments, so that places and lines stay what they are. It
// returns where a comment begins that does not end, or -1.
func blankComments(text string) (blank string, open int) {
	if !strings.Contains(text, "/") {
		return text, -1
	}
	b := []byte(text)
	for at := 0; at < len(b); at++ {
		size := 0
		switch rest := text[at:]; {
		case strings.HasPrefix(rest, "//"):
			if size = strings.IndexAny(rest, "\r\n"); size < 0 {
				size = len(rest)
			}
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return text, at
			}
			size = end + 4
		default:
			continue
		}
		for i := at; i < at+size; i++ {
			if b[i] != '\n' && b[i] != '\r' {
				b[i] = ' '
			}
		}
		at += size - 1
	}
	return string(b), -1
}
