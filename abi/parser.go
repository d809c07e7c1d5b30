package abi

import (
	"fmt"
	"strings"
)

// parser reads one signature by recursive descent. Failures travel as *SyntaxError.
type parser struct {
	text string
	pos  int
	form string
	open int // tuples around the current place
}

// ident reads an identifier and says where it starts; it is empty when there is none.
func (p *parser) ident() (word string, at int) {
	at = p.skip()
	for p.pos < len(p.text) && (isLetter(p.text[p.pos]) || p.pos > at && isDigit(p.text[p.pos])) {
		p.pos++
	}
	return p.text[at:p.pos], at
}

// accept takes c if it comes next.
func (p *parser) accept(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.pos++
	return true
}

// peek returns the next byte that is not space, or 0 at the end.
func (p *parser) peek() byte {
	if p.space(); p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

func (p *parser) space() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// skip skips space and returns the place after it.
func (p *parser) skip() int {
	p.space()
	return p.pos
}

// rest is what was not read yet, shortened for a message.
func (p *parser) rest() string {
	return shorten(p.text[p.pos:], 16)
}

// found says what stands at the current place instead of what was expected.
func (p *parser) found() string {
	if p.pos >= len(p.text) {
		return ", found the end"
	}
	return fmt.Sprintf(", found %q", p.rest())
}

func (p *parser) fail(at int, format string, args ...any) error {
	return &SyntaxError{Signature: p.text, Column: at + 1, Problem: fmt.Sprintf(format, args...)}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$'
}
