package main

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printer writes text for people, or JSON. Whatever is written, it has neither a secret in it nor a control
// character that is not the printer's own.
type printer struct {
	w       io.Writer
	width   int // of the terminal in columns, 0 where it is none
	colour  bool
	secrets *secrets
	err     error // the first one of writing
}

// newPrinter is plain text without an end of the line unless w is a terminal.
func newPrinter(w io.Writer, env func(string) string, hidden *secrets) *printer {
	p := &printer{w: w, secrets: hidden}
	width, terminal := terminalWidth(w)
	if !terminal {
		return p
	}
	if columns, err := strconv.Atoi(env("COLUMNS")); err == nil && columns > 0 {
		width = columns
	}
	p.width, p.colour = width, env("NO_COLOR") == "" && env("TERM") != "dumb"
	return p
}

// style is how a text stands out on a terminal with colours.
type style string

const (
	plain   style = ""
	bold    style = "1"
	alarm   style = "31;1"
	caution style = "33"
	good    style = "32"
)

// paint is text, which was cleaned, in a style.
func (p *printer) paint(s style, text string) string {
	if !p.colour || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

func (p *printer) write(text string) {
	if _, err := io.WriteString(p.w, text); err != nil && p.err == nil {
		p.err = err
	}
}

// line writes one line, whatever is in its arguments.
func (p *printer) line(format string, args ...any) {
	p.write(p.clean(fmt.Sprintf(format, args...)) + "\n")
}

// title writes what the lines after it are about, and an empty line before it.
func (p *printer) title(format string, args ...any) {
	p.write("\n" + p.paint(bold, p.clean(fmt.Sprintf(format, args...))) + "\n")
}

// clean is text without secrets and with what does not print written out, as \x1b.
func (p *printer) clean(text string) string {
	text = p.secrets.cut(text)
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case !hidden(r):
			b.WriteRune(r)
		case r == utf8.RuneError && isInvalid(text[i:]):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

func hidden(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

func isInvalid(text string) bool {
	_, size := utf8.DecodeRuneInString(text)
	return size == 1
}

// value writes v as indented JSON, in which characters that do not print are escaped.
func (p *printer) value(v any) error {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("write the result as JSON: %w", err)
	}
	p.write(escaped(jsonText.ReplaceAllStringFunc(b.String(), func(text string) string {
		if strings.HasSuffix(text, ":") {
			return text // the name of a field
		}
		return p.secrets.cut(text)
	})))
	return nil
}

// jsonText is a text in JSON, with the colon after it where it names a field. Numbers are no secrets, though
// a password may be one.
var jsonText = regexp.MustCompile(`"(?:[^"\\]|\\.)*":?`)

// escaped is JSON with the characters in its texts escaped that do not print.
func escaped(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// multiline is text of several lines, cleaned.
func multiline(p *printer, text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = p.clean(lines[i])
	}
	return strings.Join(lines, "\n")
}

// counted is how many there are of what.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
