package jsonrpc

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// redactor cuts secrets out of texts, however a service or a library spells them there: in percent escapes of
// either letter case, in JSON's escapes, or in one within the other.
type redactor []string

// deepest is how many escapes within each other are looked through.
const deepest = 3

// Replace returns text without the secrets.
func (r redactor) Replace(text string) string {
	if len(r) == 0 {
		return text
	}
	secret := make([]bool, len(text)) // which bytes to cut out
	found := false
	for read, depth := plainReading(text), 0; ; depth++ {
		for _, s := range r {
			found = read.mark(s, secret) || found
		}
		next, changed := read.unescape()
		if !changed || depth == deepest {
			break
		}
		read = next
	}
	if !found {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		if !secret[i] {
			b.WriteByte(text[i])
		} else if i == 0 || !secret[i-1] {
			b.WriteString(redacted)
		}
	}
	return b.String()
}

// reading is a text with escapes resolved. Each of its bytes knows where it was in the text as given.
type reading struct {
	text     []byte
	from, to []int32 // nil where they are the same
}

func plainReading(text string) *reading { return &reading{text: []byte(text)} }

// span returns where the bytes from i up to j were.
func (r *reading) span(i, j int) (from, to int32) {
	if r.from == nil {
		return int32(i), int32(j)
	}
	return r.from[i], r.to[j-1]
}

// mark marks where the secret is.
func (r *reading) mark(secret string, marks []bool) (found bool) {
	for at := 0; ; {
		i := bytes.Index(r.text[at:], []byte(secret))
		if i < 0 {
			return found
		}
		from, to := r.span(at+i, at+i+len(secret))
		for k := from; k < to; k++ {
			marks[k] = true
		}
		found = true
		at += i + 1
	}
}

// unescape resolves one layer of escapes; false if there is none.
func (r *reading) unescape() (next *reading, changed bool) {
	if bytes.IndexByte(r.text, '%') < 0 && bytes.IndexByte(r.text, '\\') < 0 {
		return r, false
	}
	next = new(reading)
	for i := 0; i < len(r.text); {
		plain, size := unescaped(r.text[i:])
		if size > 1 {
			changed = true
		}
		from, to := r.span(i, i+size)
		for range plain {
			next.from, next.to = append(next.from, from), append(next.to, to)
		}
		next.text = append(next.text, plain...)
		i += size
	}
	return next, changed
}

// unescaped returns what text begins with, and how many bytes of it that is.
func unescaped(text []byte) (plain []byte, size int) {
	switch {
	case len(text) >= 3 && text[0] == '%':
		if b, err := strconv.ParseUint(string(text[1:3]), 16, 8); err == nil {
			return []byte{byte(b)}, 3
		}
	case len(text) >= 6 && text[0] == '\\' && text[1] == 'u':
		if unit, ok := utf16Unit(text); ok {
			if second, ok := utf16Unit(text[6:]); ok && utf16.IsSurrogate(unit) {
				return utf8.AppendRune(nil, utf16.DecodeRune(unit, second)), 12
			}
			return utf8.AppendRune(nil, unit), 6
		}
	case len(text) >= 4 && text[0] == '\\' && text[1] == 'x':
		if b, err := strconv.ParseUint(string(text[2:4]), 16, 8); err == nil {
			return []byte{byte(b)}, 4
		}
	case len(text) >= 2 && text[0] == '\\' && strings.IndexByte(`/\"'`, text[1]) >= 0:
		return text[1:2], 2
	}
	return text[:1], 1
}

// utf16Unit reads JSON's \u1234.
func utf16Unit(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(unit), err == nil
}
