package abi

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// SyntaxError is a signature that cannot be read.
type SyntaxError struct {
	// Signature is the text as given.
	Signature string
	// Column is where the problem is, in bytes from 1.
	Column int
	// Problem says what is wrong there.
	Problem string
}

// Error returns the problem with its place in the signature.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("parse %s: column %d: %s", quote(e.Signature), e.Column, e.Problem)
}

const (
	// maxSignature bounds a signature in bytes, maxDepth its nesting of tuples and arrays, and maxWords the
	// head of any tuple or fixed array, so that a short text cannot ask for gigabytes. All are far beyond
	// what contracts have.
	maxSignature = 4096
	maxDepth     = 16
	maxWords     = 1 << 16
)

// parser reads one signature by recursive descent. Failures travel as *SyntaxError.
type parser struct {
	given string // with its comments
	text  string
	pos   int
	form  string
	open  int // tuples around the current place
}

// otherSpace is space as web pages and editors have it, with as many bytes of plain space.
var otherSpace = strings.NewReplacer("\f", " ", "\v", " ", "\u00a0", "  ", "\u2028", "   ", "\u2029", "   ", "\u200b", "   ", "\ufeff", "   ")

// parseDeclaration reads text as form. The keyword in front may be left out.
func parseDeclaration(form, text string) (declaration, error) {
	p := &parser{given: text, form: form}
	if len(text) > maxSignature {
		return declaration{}, p.fail(maxSignature, "longer than %d bytes", maxSignature)
	}
	var unended int
	if p.text, unended = blankComments(text); unended >= 0 {
		return declaration{}, p.fail(unended, "a comment without its end")
	}
	p.text = otherSpace.Replace(p.text)
	var d declaration
	var err error
	if d.name, err = p.name(); err != nil {
		return declaration{}, err
	}
	if d.inputs, err = p.fields(); err != nil {
		return declaration{}, err
	}
	if err = p.suffix(&d); err != nil {
		return declaration{}, err
	}
	return d, nil
}

// name reads the optional keyword and the name in front of the parenthesis.
func (p *parser) name() (string, error) {
	name, at := p.ident()
	keyword := false
	if name == formFunction || name == formError || name == formEvent {
		if next, nextAt := p.ident(); next != "" {
			if name != p.form {
				return "", p.fail(at, "%s %s where %s %s is wanted", article(name), name, article(p.form), p.form)
			}
			name, at, keyword = next, nextAt, true
		}
	}
	switch name {
	case "":
		return "", p.fail(at, "expected the name of %s %s%s", article(p.form), p.form, p.jsonHint())
	case "fallback", "receive":
		if p.form == formFunction && !keyword {
			return "", p.fail(at, "%s runs for what no function takes, and has no selector to pack; for a function of that name write function %s(…)", name, name)
		}
	case "constructor", formFunction, formEvent:
		return "", p.fail(at, "%q is not a name", name)
	}
	return name, nil
}

// jsonHint says how to write what begins like JSON.
func (p *parser) jsonHint() string {
	if next := p.peek(); next != '{' && next != '[' {
		return ""
	}
	return ": an ABI in JSON is not read; write it as " + p.form + " name(address to, uint256 amount)"
}

// suffix reads what may follow the arguments, up to the end of the text.
func (p *parser) suffix(d *declaration) error {
	for {
		word, at := p.ident()
		switch {
		case word == "":
			return p.end()
		case p.form != formFunction:
			return p.fail(at, "unexpected %q after the arguments of %s %s", word, article(p.form), p.form)
		case word == "returns":
			if d.outputs != nil {
				return p.fail(at, "returns given twice")
			}
			outputs, err := p.fields()
			if err != nil {
				return err
			}
			if len(outputs) == 0 {
				return p.fail(at, "returns without a result")
			}
			d.outputs = outputs
		default:
			if err := p.modifier(d, word, at); err != nil {
				return err
			}
		}
	}
}

// end reads what may close a signature: a semicolon, the brace before a body that was not copied, and the
// gas that ethers once wrote there (@29000).
func (p *parser) end() error {
	if p.accept('@') {
		for p.pos < len(p.text) && isDigit(p.text[p.pos]) {
			p.pos++
		}
	}
	if p.form == formFunction && p.accept('{') {
		if p.accept('}'); p.peek() != 0 {
			return p.fail(p.pos, "unexpected %q: leave the body out", p.rest())
		}
		return nil
	}
	p.accept(';')
	if p.space(); p.pos < len(p.text) {
		return p.fail(p.pos, "unexpected %q", p.rest())
	}
	return nil
}

// modifier takes one word between the arguments and returns.
func (p *parser) modifier(d *declaration, word string, at int) error {
	switch word {
	case "external", "public", "virtual":
		return nil
	case "override":
		return p.overridden()
	case "view", "pure", "payable", "nonpayable", "constant":
		if d.mutability != "" {
			return p.fail(at, "%q after %q", word, d.mutability)
		}
		if d.mutability = word; word == "constant" { // Solidity 0.4's word for it
			d.mutability = "view"
		}
		return nil
	case "internal", "private":
		return p.fail(at, "%s functions cannot be called from outside", word)
	}
	return p.fail(at, "unknown modifier %q: leave a contract's own modifiers out, they are no part of its ABI", word)
}

// overridden reads the contracts that a function overrides, if they are named.
func (p *parser) overridden() error {
	if !p.accept('(') {
		return nil
	}
	for {
		if name, at := p.ident(); name == "" {
			return p.fail(at, "expected the contract that is overridden%s", p.found())
		}
		switch {
		case p.accept(')'):
			return nil
		case !p.accept(',') && !p.accept('.'):
			return p.fail(p.pos, "expected \",\" or \")\"%s", p.found())
		}
	}
}

// fields reads a parenthesised list of arguments, results or components.
func (p *parser) fields() ([]field, error) {
	if !p.accept('(') {
		return nil, p.fail(p.pos, "expected \"(\"%s", p.found())
	}
	if p.accept(')') {
		return []field{}, nil
	}
	var list []field
	words := 0
	for {
		f, at, err := p.field()
		if err != nil {
			return nil, err
		}
		if f.name != "" && slices.ContainsFunc(list, func(other field) bool { return other.name == f.name }) {
			return nil, p.fail(at, "duplicate name %q", f.name)
		}
		list = append(list, f)
		if words += f.typ.words; words > maxWords {
			return nil, p.fail(at, "larger than %d words", maxWords)
		}
		if p.accept(')') {
			return list, nil
		}
		if !p.accept(',') {
			return nil, p.fail(p.pos, "expected \",\" or \")\"%s", p.found())
		}
	}
}

// field reads a type with its modifiers and its name, if there is one. It returns where the name is.
func (p *parser) field() (f field, at int, err error) {
	if f.typ, err = p.typ(); err != nil {
		return f, p.pos, err
	}
	for {
		var word string
		word, at = p.ident()
		switch word {
		case "":
			return f, at, nil
		case "indexed":
			if p.form != formEvent || p.open > 0 {
				return f, at, p.fail(at, "only arguments of events are indexed")
			}
			f.indexed = true
		case "calldata", "memory", "storage":
		default:
			f.name = word
			if next, nextAt := p.ident(); next != "" {
				return f, at, p.fail(nextAt, "unexpected %q after the name %q", next, f.name)
			}
			return f, at, nil
		}
	}
}

// typ reads a type: elementary or tuple, then its array brackets.
func (p *parser) typ() (*valueType, error) {
	start := p.skip()
	t, err := p.baseType()
	for err == nil && p.accept('[') {
		t, err = p.brackets(t)
	}
	if err != nil {
		return nil, err
	}
	if t.depth > maxDepth {
		return nil, p.fail(start, "nested deeper than %d", maxDepth)
	}
	return t, nil
}

// baseType reads a type without its array brackets.
func (p *parser) baseType() (*valueType, error) {
	name, at := p.ident()
	if p.peek() == '(' && (name == "" || name == "tuple") {
		return p.tuple(at)
	}
	if name == "" {
		return nil, p.fail(at, "expected a type%s", p.found())
	}
	t, ok := elementaryType(name)
	if !ok {
		return nil, p.fail(at, "unknown type %q%s", name, typeHint(name))
	}
	if t.kind == kindAddress {
		before := p.pos
		if word, _ := p.ident(); word != "payable" {
			p.pos = before
		}
	}
	return t, nil
}

// typeHint says how to write the types of Solidity that an ABI does not have.
func typeHint(name string) string {
	switch {
	case name == "tuple":
		return ": write its components, tuple(address to, uint256 amount)"
	case name[0] >= 'A' && name[0] <= 'Z':
		return ": write a struct as a tuple (address to, uint256 amount), a contract as address, an enum as uint8"
	}
	return ""
}

func (p *parser) tuple(at int) (*valueType, error) {
	if p.open++; p.open > maxDepth {
		return nil, p.fail(at, "nested deeper than %d", maxDepth)
	}
	fields, err := p.fields()
	if err != nil {
		return nil, err
	}
	p.open--
	if len(fields) == 0 {
		return nil, p.fail(at, "a tuple without components")
	}
	return tupleOf(fields), nil
}

// brackets reads what follows "[" and makes the slice or fixed array of elem.
func (p *parser) brackets(elem *valueType) (*valueType, error) {
	start := p.skip()
	for p.pos < len(p.text) && isDigit(p.text[p.pos]) {
		p.pos++
	}
	digits := p.text[start:p.pos]
	if !p.accept(']') {
		return nil, p.fail(p.pos, "expected \"]\"%s", p.found())
	}
	if digits == "" {
		return sliceOf(elem), nil
	}
	size, err := strconv.Atoi(digits)
	if err != nil || size > maxWords/elem.words {
		return nil, p.fail(start, "larger than %d words", maxWords)
	}
	if size == 0 {
		return nil, p.fail(start, "an array of length 0")
	}
	return arrayOf(elem, size), nil
}

// article is the indefinite article of a form.
func article(form string) string {
	if form == formFunction {
		return "a"
	}
	return "an"
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
	return &SyntaxError{Signature: p.given, Column: at + 1, Problem: fmt.Sprintf(format, args...)}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$'
}
