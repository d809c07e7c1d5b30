package jsonrpc

import (
	"bytes"
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// redactor cuts secrets out of texts, however a service or a library spells them there: in percent escapes of
// either letter case, in JSON's escapes or HTML's, in one within the other, broken over lines, or cut short.
type redactor []string

// telling is how many bytes of a secret are one: the beginning of a longer one is cut out as well, and one
// with a line break in it.
const telling = 8

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
		joined := read.joined()
		for _, s := range r {
			found = read.mark(s, secret) || found
			if joined != nil && len(s) >= telling {
				found = joined.mark(s, secret) || found
			}
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

// joined is the text without what breaks a word; nil where nothing does.
func (r *reading) joined() *reading {
	if !bytes.ContainsFunc(r.text, breaks) {
		return nil
	}
	next := new(reading)
	for i := 0; i < len(r.text); {
		c, size := utf8.DecodeRune(r.text[i:])
		if !breaks(c) {
			for k := range size {
				from, to := r.span(i+k, i+k+1)
				next.from, next.to = append(next.from, from), append(next.to, to)
			}
			next.text = append(next.text, r.text[i:i+size]...)
		}
		i += size
	}
	return next
}

// breaks tells what does not belong to a word that it stands in: ends of lines, and what nobody sees.
func breaks(c rune) bool { return c != utf8.RuneError && !unicode.IsPrint(c) }

// mark marks where the secret is, or what tells enough of it.
func (r *reading) mark(secret string, marks []bool) (found bool) {
	begin := secret[:min(len(secret), telling)]
	for at := 0; ; {
		i := bytes.Index(r.text[at:], []byte(begin))
		if i < 0 {
			return found
		}
		size := len(begin)
		for size < len(secret) && at+i+size < len(r.text) && r.text[at+i+size] == secret[size] {
			size++
		}
		from, to := r.span(at+i, at+i+size)
		for k := from; k < to; k++ {
			marks[k] = true
		}
		found = true
		at += i + 1
	}
}

// unescape resolves one layer of escapes; false if there is none.
func (r *reading) unescape() (next *reading, changed bool) {
	if !bytes.ContainsAny(r.text, `%\&`) {
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
	case text[0] == '&':
		if end := bytes.IndexByte(text[:min(len(text), longestEntity)], ';'); end > 0 {
			if plain := html.UnescapeString(string(text[:end+1])); plain != string(text[:end+1]) {
				return []byte(plain), end + 1
			}
		}
	case len(text) >= 2 && text[0] == '\\' && strings.IndexByte("nrt", text[1]) >= 0:
		return []byte{'\n'}, 2 // any end of a line will do
	case len(text) >= 2 && text[0] == '\\' && strings.IndexByte(`/\"'`, text[1]) >= 0:
		return text[1:2], 2
	}
	return text[:1], 1
}

// longestEntity is as long as HTML's names for the characters of a URL are, and numbers of any character.
const longestEntity = 12

// utf16Unit reads JSON's \u1234.
func utf16Unit(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(unit), err == nil
}
