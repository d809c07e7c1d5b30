package abi

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// ErrNoFixedOffset is the reason when a part of the arguments has no place of its own in the calldata: where it
// stands depends on how long what comes before it is.
var ErrNoFixedOffset = errors.New("it has no fixed place in the calldata")

// Types of words that are not a value themselves.
const (
	// TypeOffset is the head of a dynamic value: where its content begins, in bytes.
	TypeOffset = "offset"
	// TypeLength is how many elements an array, or bytes a string, has.
	TypeLength = "length"
)

// Word is one 32-byte word of a function's calldata, as rules about arguments need it. Words come from
// [Function.Word] and [Function.WordAt].
type Word struct {
	// Path names the word: "to", "order.amount", "legs[0].to", "data.length".
	Path string
	// Type is the canonical elementary type of the word's value, [TypeOffset] or [TypeLength].
	Type string
	// Offset is where the word begins, in bytes after the selector.
	Offset uint64
	// Canonical is set when the word is at Offset only because the standard encoder puts it there, and only as
	// far as the array or bytes it is in reaches. The contract reads it where the offset words point to:
	// calldata can be laid out otherwise, with any other word at Offset. Rules that fix every offset
	// word on the way pin the layout down.
	Canonical bool
}

// maxIndex bounds indexes in paths; calldata is never that long.
const maxIndex = 1 << 32

// Word finds the word that a path names. A path begins with an argument's name, and goes on
// with .name into tuples and [i] into arrays: "to", "order.amount", "legs[0].to". Where a name is missing
// the number does, as "0" or "arg0". Of a dynamic value
//
//   - its path, "data", is the word that holds the offset of its content,
//   - "data.length" is its length,
//   - "data.words[3]" is the fourth word of the content of bytes or a string, of type bytes32,
//   - "names[2]" is an element of an array, for dynamic elements again their offset word.
//
// Content is where the standard encoder puts it ([Word.Canonical]). That is one place only for
// the first dynamic value of the arguments, or of a tuple that is itself at one place; for all others
// the error matches [ErrNoFixedOffset].
func (f *Function) Word(path string) (Word, error) {
	w, err := f.word(path)
	if err != nil {
		return Word{}, fmt.Errorf("word %s of %s: %w", quote(path), f.Signature(), err)
	}
	return w, nil
}

func (f *Function) word(path string) (Word, error) {
	steps := strings.Split(strings.ReplaceAll(path, "[", ".["), ".")
	at := place{typ: tupleOf(f.inputs)}
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

// WordAt names the word at an offset, in bytes after the selector: the reverse of [Function.Word]. It is false
// where no path leads. A Word that is Canonical says what the standard encoder puts there, in arguments whose
// arrays and bytes reach that far.
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

// Format says what a word at this place means: a checksummed address, a decimal number, true
// or false, 0x-hex. A word that no value of the type encodes to comes in full, and so marked.
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
