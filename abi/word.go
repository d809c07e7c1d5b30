package abi

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/abiword"
)

// Word is one 32-byte word of a function's calldata, as rules about arguments need it. Words come from
// [Function.Word] and [Function.WordAt].
type Word struct {
	// Path names the word: "to", "order.amount", "legs[0].to", "data.length", "data.offset".
	Path string
	// Type is the canonical elementary type of the word's value, [TypeOffset] or [TypeLength].
	Type string
	// Offset is where the word begins, in bytes after the selector.
	Offset uint64
	// Canonical is set when the word is at Offset only because the standard encoder puts it there, and only
	// as far as the array or bytes it is in reaches. The contract reads it where the offset words point to:
	// calldata can be laid out otherwise, with any other word at Offset. Rules that fix every offset word on
	// the way to the value of [Word.Begins] pin the layout down.
	Canonical bool
	// Begins is what the standard encoder writes into an offset word: where the content begins, in bytes. It
	// is 0 for other words, and where it moves with the length of what comes before.
	Begins uint64
}

// Name is how a sentence calls the word: its path or, since an offset word says nothing of the value that its
// path leads to, "the offset of data".
func (w Word) Name() string {
	if w.Type == TypeOffset {
		return "the offset of " + w.Path[:max(strings.LastIndexByte(w.Path, '.'), 0)]
	}
	return w.Path
}

// Types of words that are not a value themselves.
const (
	// TypeOffset is the head of a dynamic value: where its content begins, in bytes.
	TypeOffset = "offset"
	// TypeLength is how many elements an array, or bytes a string, has.
	TypeLength = "length"
)

// ErrNoFixedOffset is the reason when a part of the arguments has no place of its own in the calldata: where
// it stands depends on how long what comes before it is.
var ErrNoFixedOffset = errors.New("it has no fixed place in the calldata")

// maxIndex bounds indexes in paths; calldata is never that long.
const maxIndex = 1 << 32

// Word finds the word that a path names. A path begins with an argument's name, and goes on with .name into
// tuples and [i] into arrays: "to", "order.amount", "legs[0].to". Where a name is missing the number does, as
// "0" or "arg0". A dynamic value is more than one word, and its own path an error. Of one
//
//   - "data.length" is its length,
//   - "data.words[3]" is the fourth word of the content of bytes or a string, of type bytes32,
//   - "legs[0]" is an element of an array and "order.to" a component of a tuple, and
//   - "data.offset" is the word that says where the content begins: it is the same whatever the content is.
//     Of a tuple that has a component called offset it is "order.@offset".
//
// Content is where the standard encoder puts it ([Word.Canonical]). That is one place only for the first
// dynamic value of the arguments, or of a tuple that is itself at one place; for all others the error matches
// [ErrNoFixedOffset].
func (f *Function) Word(path string) (Word, error) {
	w, err := f.word(path)
	if err != nil {
		return Word{}, fmt.Errorf("word %s of %s: %w", quote(path), f.Signature(), err)
	}
	return w, nil
}

func (f *Function) word(path string) (Word, error) {
	steps := strings.Split(strings.ReplaceAll(path, "[", ".["), ".")
	at := position{typ: tupleOf(f.inputs)}
	for i, step := range steps {
		if w, ok, err := at.content(steps[i:]); ok {
			return w, err
		}
		next, err := at.member(step)
		if err != nil {
			return Word{}, err
		}
		at = next
	}
	return at.word()
}

// WordAt names the word at an offset, in bytes after the selector: the reverse of [Function.Word]. It is
// false where no path leads. A Word that is Canonical says what the standard encoder puts there, in arguments
// whose arrays and bytes reach that far.
func (f *Function) WordAt(offset uint64) (Word, bool) {
	if offset%WordSize != 0 {
		return Word{}, false
	}
	path, ok := pathInFields(f.inputs, offset)
	if !ok {
		return Word{}, false
	}
	w, err := f.word(strings.TrimPrefix(path, "."))
	return w, err == nil
}

// Encode returns value as the word holds it, once it is sure that it fits the type. Values are what
// [Function.Pack] takes; offsets and lengths are integers.
func (w Word) Encode(value any) (common.Hash, error) {
	t, err := w.valueType()
	if err != nil {
		return common.Hash{}, err
	}
	encoded, err := t.appendValue(nil, value)
	if err != nil {
		return common.Hash{}, fmt.Errorf("%s: %w", w.Path, err)
	}
	return common.Hash(encoded), nil
}

// Format says what a word at this place means: a checksummed address, a decimal number, true or false,
// 0x-hex. A word that no value of the type encodes to comes in full, and so marked.
func (w Word) Format(word common.Hash) string {
	t, err := w.valueType()
	if err != nil {
		return word.Hex()
	}
	v, err := t.fromWord(word)
	if err != nil {
		return fmt.Sprintf("%s (no %s)", word.Hex(), w.Type)
	}
	return formatValue(t, v)
}

// valueType is the type the word's value is read with.
func (w Word) valueType() (*valueType, error) {
	name := w.Type
	if name == TypeOffset || name == TypeLength {
		name = "uint256"
	}
	t, ok := elementaryType(name)
	if !ok || t.dynamic {
		return nil, fmt.Errorf("%s: type %s is not of one word", w.Path, quote(w.Type))
	}
	return t, nil
}

// position is where a value is in the calldata, while a path is followed. Its zero value with a tuple as typ
// stands for all arguments.
type position struct {
	path string
	typ  *valueType
	// head is where the value begins, or its offset word when it is dynamic.
	head uint64
	// body is where members begin; for dynamic values, that is in the tail.
	body uint64
	// begins is what the offset word of a dynamic value says.
	begins uint64
	// movesWith says what the body of a dynamic value moves with; it is empty when it has a fixed place.
	movesWith string
	// canonical tells that head, and bodyCanonical that body, is somewhere in a tail.
	canonical, bodyCanonical bool
}

// word returns the word at p's head.
func (p position) word() (Word, error) {
	switch {
	case p.typ.dynamic:
		return Word{}, p.errDynamic()
	case p.typ.kind == kindTuple:
		return Word{}, fmt.Errorf("%s is a tuple: name a component, like %s", p.path, p.example())
	case p.typ.kind == kindArray:
		return Word{}, fmt.Errorf("%s is an array: name an element, like %s", p.path, p.example())
	}
	return Word{Path: p.path, Type: p.typ.String(), Offset: p.head, Canonical: p.canonical}, nil
}

// example is the path of a word of p's content; empty where none has a fixed place.
func (p position) example() string {
	if p.movesWith != "" {
		return ""
	}
	var inside string
	switch p.typ.kind {
	case kindTuple:
		for i := 0; i < len(p.typ.fields) && inside == ""; i++ {
			if member, err := p.component(fieldName(p.typ.fields, i)); err == nil {
				inside = member.example()
			}
		}
	case kindSlice, kindArray:
		if member, err := p.element("[0]"); err == nil {
			inside = member.example()
		}
		if inside == "" && p.typ.kind == kindSlice {
			return p.path + ".length"
		}
	case kindBytes, kindString:
		return p.path + ".words[0]"
	default:
		return p.path
	}
	return inside
}

// offsetStep is the step from a dynamic value to its offset word. No name of a component has an @ in it.
func offsetStep(t *valueType) string {
	if t.kind == kindTuple && slices.ContainsFunc(t.fields, func(f field) bool { return f.name == "offset" }) {
		return "@offset"
	}
	return "offset"
}

// errDynamic is the error for a path that ends at a dynamic value, and names the words that it has.
func (p position) errDynamic() error {
	if p.movesWith != "" {
		return fmt.Errorf("%w, or name %s.%s, the word that says where it begins", p.errMoves(), p.path, offsetStep(p.typ))
	}
	kind, words := p.typ.String(), p.path+".length"
	switch inside := p.example(); p.typ.kind {
	case kindTuple:
		kind, words = "tuple", "a component, like "+inside
	case kindArray:
		kind, words = "array", "an element, like "+inside
	case kindSlice:
		if kind = "array"; inside != words {
			words += ", or an element, like " + inside
		}
	default:
		words += ", or a word of the content, like " + inside
	}
	return fmt.Errorf("%s is a dynamic %s, which no single word holds: name %s; %s.%s is the word that says where it begins", p.path, kind, words, p.path, offsetStep(p.typ))
}

// content resolves the steps "offset", "length" and "words", "[i]" of values that have them; ok is false for
// other steps.
func (p position) content(steps []string) (w Word, ok bool, err error) {
	isBytes := p.typ.kind == kindBytes || p.typ.kind == kindString
	switch {
	case p.typ.dynamic && p.path != "" && (steps[0] == "@offset" || steps[0] == offsetStep(p.typ)):
		w = Word{Path: p.path + "." + offsetStep(p.typ), Type: TypeOffset, Offset: p.head, Canonical: p.canonical, Begins: p.begins}
		if len(steps) > 1 {
			err = fmt.Errorf("%s is a number, without members", w.Path)
		}
		return w, true, err
	case steps[0] == "length" && (isBytes || p.typ.kind == kindSlice):
		w = Word{Path: p.path + ".length", Type: TypeLength, Offset: p.body - WordSize, Canonical: true}
		if len(steps) > 1 {
			err = fmt.Errorf("%s is a number, without members", w.Path)
		}
	case steps[0] == "words" && isBytes:
		var i uint64
		if len(steps) == 2 {
			i, err = parseIndex(steps[1])
		}
		if len(steps) != 2 || err != nil {
			err = fmt.Errorf("say which word of %s, like %s.words[0]", p.path, p.path)
		}
		w = Word{Path: fmt.Sprintf("%s.words[%d]", p.path, i), Type: "bytes32", Offset: p.body + i*WordSize, Canonical: true}
	default:
		return Word{}, false, nil
	}
	if p.movesWith != "" {
		err = p.errMoves()
	}
	if err != nil {
		return Word{}, true, err
	}
	return w, true, nil
}

// member returns the position of a component or element of p.
func (p position) member(step string) (position, error) {
	if p.movesWith != "" {
		return position{}, p.errMoves()
	}
	switch p.typ.kind {
	case kindTuple:
		return p.component(step)
	case kindSlice, kindArray:
		return p.element(step)
	}
	return position{}, fmt.Errorf("%s is of type %s and has no %s", p.path, p.typ, quote(step))
}

func (p position) component(step string) (position, error) {
	i, ok := findField(p.typ.fields, step)
	if !ok {
		return position{}, fmt.Errorf("no %s, there is %s", quote(step), fieldNames(p.typ.fields))
	}
	child := position{
		path:      strings.TrimPrefix(p.path+"."+fieldName(p.typ.fields, i), "."),
		typ:       p.typ.fields[i].typ,
		head:      p.body + uint64(headWords(p.typ.fields[:i]))*WordSize,
		canonical: p.bodyCanonical,
	}
	if first := firstDynamic(p.typ.fields); first < i {
		child.movesWith = fmt.Sprintf("the length of %s before it", fieldName(p.typ.fields, first))
	}
	return child.withBody(p.body, p.body+uint64(headWords(p.typ.fields))*WordSize), nil
}

func (p position) element(step string) (position, error) {
	i, err := parseIndex(step)
	if err != nil {
		return position{}, fmt.Errorf("%s is an array: %w", p.path, err)
	}
	if p.typ.kind == kindArray && i >= uint64(p.typ.size) {
		return position{}, fmt.Errorf("%s has %s, counted from 0", p.path, abiword.Count(p.typ.size, "element"))
	}
	child := position{
		path:      fmt.Sprintf("%s[%d]", p.path, i),
		typ:       p.typ.elem,
		head:      p.body + i*uint64(p.typ.elem.words)*WordSize,
		canonical: p.bodyCanonical,
	}
	switch {
	case p.typ.kind == kindSlice:
		child.movesWith = fmt.Sprintf("the number of elements of %s", p.path)
	case i > 0:
		child.movesWith = fmt.Sprintf("the length of %s[0] before it", p.path)
	}
	return child.withBody(p.body, p.body+uint64(p.typ.size)*WordSize), nil
}

// withBody completes a member of what begins at base: tail is where the first tail beside it begins.
func (p position) withBody(base, tail uint64) position {
	if !p.typ.dynamic {
		p.body, p.bodyCanonical, p.movesWith = p.head, p.canonical, ""
		return p
	}
	p.body, p.bodyCanonical = tail, true
	if p.movesWith == "" {
		p.begins = tail - base
	}
	if p.typ.kind != kindTuple && p.typ.kind != kindArray {
		p.body += WordSize // the length
	}
	return p
}

// errMoves is the error for what is inside p.
func (p position) errMoves() error {
	return fmt.Errorf("%w: the content of %s moves with %s; where all calls have one layout, give the offset in bytes", ErrNoFixedOffset, p.path, p.movesWith)
}

// parseIndex reads "[3]".
func parseIndex(step string) (uint64, error) {
	digits := strings.TrimSuffix(strings.TrimPrefix(step, "["), "]")
	i, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || step != "["+digits+"]" || i >= maxIndex {
		return 0, errors.New("write an element's number, like [0]")
	}
	return i, nil
}

// findField finds a member by its name, or else by its number: "0" or "arg0".
func findField(fields []field, step string) (int, bool) {
	for i, f := range fields {
		if f.name != "" && f.name == step {
			return i, true
		}
	}
	for i := range fields {
		if n := strconv.Itoa(i); step == n || step == "arg"+n {
			return i, true
		}
	}
	return 0, false
}

func fieldNames(fields []field) string {
	if len(fields) == 0 {
		return "none"
	}
	names := make([]string, len(fields))
	for i := range fields {
		names[i] = fieldName(fields, i)
	}
	return strings.Join(names, ", ")
}

// firstDynamic is the index of the first dynamic member, or len(fields).
func firstDynamic(fields []field) int {
	for i, f := range fields {
		if f.typ.dynamic {
			return i
		}
	}
	return len(fields)
}

// pathInFields finds the path of the word at an offset into the encoding of fields, with a dot in front.
func pathInFields(fields []field, offset uint64) (string, bool) {
	tail := offset
	for i, f := range fields {
		size := uint64(f.typ.words) * WordSize
		if tail < size {
			path, ok := pathInHead(f.typ, tail)
			return "." + fieldName(fields, i) + path, ok
		}
		tail -= size
	}
	i := firstDynamic(fields)
	if i == len(fields) {
		return "", false
	}
	path, ok := pathInTail(fields[i].typ, tail)
	return "." + fieldName(fields, i) + path, ok
}

// pathInHead goes on inside the head of a value of type t.
func pathInHead(t *valueType, offset uint64) (string, bool) {
	switch {
	case t.kind == kindTuple && !t.dynamic:
		return pathInFields(t.fields, offset)
	case t.kind == kindArray && !t.dynamic:
		return pathInElements(t.elem, offset)
	case t.dynamic:
		return "." + offsetStep(t), offset == 0
	}
	return "", offset == 0
}

// pathInTail goes on inside the content of a dynamic value of type t.
func pathInTail(t *valueType, offset uint64) (string, bool) {
	switch {
	case t.kind == kindTuple:
		return pathInFields(t.fields, offset)
	case t.kind == kindArray && offset >= uint64(t.size)*WordSize:
		path, ok := pathInTail(t.elem, offset-uint64(t.size)*WordSize)
		return "[0]" + path, ok
	case t.kind == kindArray:
		return pathInElements(t.elem, offset)
	case offset < WordSize:
		return ".length", true
	case t.kind == kindSlice:
		return pathInElements(t.elem, offset-WordSize)
	}
	return fmt.Sprintf(".words[%d]", offset/WordSize-1), true
}

func pathInElements(elem *valueType, offset uint64) (string, bool) {
	size := uint64(elem.words) * WordSize
	path, ok := pathInHead(elem, offset%size)
	return fmt.Sprintf("[%d]%s", offset/size, path), ok
}
