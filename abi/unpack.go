package abi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"reflect"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/abiword"
)

// ErrNoData means that a call that has a result returned nothing: there is no contract at the address on this
// chain, or it lets unknown functions pass.
var ErrNoData = errors.New("no data: is there a contract at the address on this chain, and does it have the function?")

var errPadding = errors.New("padding is not zero")

// layout says which encodings of the same values are taken.
type layout uint8

const (
	// anyLayout takes every layout within the data, as contracts do.
	anyLayout layout = iota
	// canonical takes what the standard encoder makes and nothing else.
	canonical
)

// decoder decodes one piece of data. Hostile data can make many offsets point to one place, which would
// multiply what is read: budget, in bytes, bounds that to a few times the length of the data.
type decoder struct {
	layout layout
	budget int
}

// budgetFactor is how often one byte of data may be read on average. Encoders that share equal tails stay
// below it.
const budgetFactor = 4

// decode returns the values of fields in data.
func decode(data []byte, fields []field, l layout) ([]any, error) {
	d := &decoder{layout: l, budget: budgetFactor * len(data)}
	if err := d.take(data, headWords(fields)); err != nil {
		return nil, err
	}
	values := make([]any, len(fields))
	size, err := d.fields(data, fields, func(i int, v any) { values[i] = v })
	if err != nil {
		return nil, err
	}
	if l == canonical && size != len(data) {
		return nil, fmt.Errorf("%s left over after the arguments", abiword.Count(len(data)-size, "byte"))
	}
	return values, nil
}

// take checks that data has this many words at its beginning, and charges for them.
func (d *decoder) take(data []byte, words int) error {
	if words > len(data)/WordSize {
		return fmt.Errorf("data ends too early: %s where %d are needed", abiword.Count(len(data), "byte"), words*WordSize)
	}
	if d.budget -= words * WordSize; d.budget < 0 {
		return errors.New("data refers to itself too often")
	}
	return nil
}

// fields decodes the members of a tuple, whose heads begin data and have been taken. It returns how many
// bytes they use in the canonical layout.
func (d *decoder) fields(data []byte, fields []field, set func(int, any)) (size int, err error) {
	head, size := 0, headWords(fields)*WordSize
	for i, f := range fields {
		v, end, err := d.member(data, head, size, f.typ)
		if err != nil {
			return 0, inField(i, fields, err)
		}
		set(i, v)
		head, size = head+f.typ.words*WordSize, end
	}
	return size, nil
}

// elements decodes n elements of one type, likewise.
func (d *decoder) elements(data []byte, elem *valueType, n int) (list any, size int, err error) {
	slice := reflect.MakeSlice(reflect.SliceOf(elem.goType()), n, n)
	head, size := 0, n*elem.words*WordSize
	for i := range n {
		v, end, err := d.member(data, head, size, elem)
		if err != nil {
			return nil, 0, inElement(i, err)
		}
		slice.Index(i).Set(reflect.ValueOf(v))
		head, size = head+elem.words*WordSize, end
	}
	return slice.Interface(), size, nil
}

// member decodes the member whose head is at data[head:]. The canonical place of the next tail is tail;
// member returns where the one after it is.
func (d *decoder) member(data []byte, head, tail int, t *valueType) (v any, next int, err error) {
	if !t.dynamic {
		v, _, err = d.value(data[head:], t)
		return v, tail, err
	}
	offset, err := wordToLength(data[head:], len(data))
	if err != nil {
		return nil, 0, fmt.Errorf("offset %w", err)
	}
	if d.layout == canonical && offset != tail {
		return nil, 0, fmt.Errorf("offset %d where the standard encoder puts %d", offset, tail)
	}
	v, size, err := d.value(data[offset:], t)
	return v, offset + size, err
}

// value decodes the value that begins data. A static one has been taken already.
func (d *decoder) value(data []byte, t *valueType) (v any, size int, err error) {
	switch t.kind {
	case kindBytes, kindString:
		return d.bytes(data, t)
	case kindSlice:
		return d.slice(data, t)
	case kindArray:
		if t.dynamic {
			if err := d.take(data, t.size*t.elem.words); err != nil {
				return nil, 0, err
			}
		}
		return d.elements(data, t.elem, t.size)
	case kindTuple:
		return d.tuple(data, t)
	default:
		v, err = t.fromWord(common.Hash(data[:WordSize]))
		return v, WordSize, err
	}
}

func (d *decoder) tuple(data []byte, t *valueType) (v any, size int, err error) {
	if t.dynamic {
		if err := d.take(data, headWords(t.fields)); err != nil {
			return nil, 0, err
		}
	}
	tuple := make(Tuple, len(t.fields))
	size, err = d.fields(data, t.fields, func(i int, v any) {
		tuple[i] = Component{Name: t.fields[i].name, Value: v}
	})
	return tuple, size, err
}

func (d *decoder) slice(data []byte, t *valueType) (v any, size int, err error) {
	if err := d.take(data, 1); err != nil {
		return nil, 0, err
	}
	n, err := wordToLength(data, (len(data)-WordSize)/WordSize/t.elem.words)
	if err != nil {
		return nil, 0, fmt.Errorf("length %w", err)
	}
	data = data[WordSize:]
	if err := d.take(data, n*t.elem.words); err != nil {
		return nil, 0, err
	}
	v, size, err = d.elements(data, t.elem, n)
	return v, WordSize + size, err
}

func (d *decoder) bytes(data []byte, t *valueType) (v any, size int, err error) {
	if err := d.take(data, 1); err != nil {
		return nil, 0, err
	}
	n, err := wordToLength(data, len(data)-WordSize)
	if err != nil {
		return nil, 0, fmt.Errorf("length %w", err)
	}
	content := data[WordSize : WordSize+n]
	if err := d.take(content, n/WordSize); err != nil {
		return nil, 0, err
	}
	size = abiword.BytesSize(n)
	if d.layout == canonical && (size > len(data) || !abiword.IsZero(data[WordSize+n:size])) {
		return nil, 0, errPadding
	}
	if t.kind == kindString {
		return string(content), size, nil
	}
	return append([]byte{}, content...), size, nil
}

// wordToLength reads the word that begins data as an offset or length of at most limit.
func wordToLength(data []byte, limit int) (int, error) {
	low := binary.BigEndian.Uint64(data[WordSize-8 : WordSize])
	if !abiword.IsZero(data[:WordSize-8]) || low > uint64(max(limit, 0)) {
		return 0, fmt.Errorf("0x%s goes beyond the data", new(big.Int).SetBytes(data[:WordSize]).Text(16))
	}
	return int(low), nil
}

// fromWord decodes a type of one word, and checks that the word is in its range.
func (t *valueType) fromWord(word common.Hash) (any, error) {
	switch t.kind {
	case kindUint, kindInt:
		n := t.integer(word)
		if !t.holds(n) {
			return nil, fmt.Errorf("word %s does not fit %s", word, t)
		}
		return t.native(n), nil
	case kindAddress:
		if !abiword.IsZero(word[:WordSize-common.AddressLength]) {
			return nil, fmt.Errorf("word %s is not an address", word)
		}
		return common.Address(word[WordSize-common.AddressLength:]), nil
	case kindBool:
		if !abiword.IsZero(word[:WordSize-1]) || word[WordSize-1] > 1 {
			return nil, fmt.Errorf("word %s is not a bool", word)
		}
		return word[WordSize-1] == 1, nil
	default:
		return t.fixedBytes(word)
	}
}

func (t *valueType) fixedBytes(word common.Hash) (any, error) {
	if t.size == WordSize {
		return word, nil
	}
	if !abiword.IsZero(word[t.size:]) {
		return nil, fmt.Errorf("word %s does not fit %s", word, t)
	}
	array := reflect.New(t.goType()).Elem()
	reflect.Copy(array, reflect.ValueOf(word[:t.size]))
	return array.Interface(), nil
}

// goType is the type of decoded values of t.
func (t *valueType) goType() reflect.Type {
	switch t.kind {
	case kindUint, kindInt:
		return reflect.TypeOf(t.native(new(big.Int)))
	case kindBool:
		return reflect.TypeFor[bool]()
	case kindAddress:
		return reflect.TypeFor[common.Address]()
	case kindFixedBytes:
		if t.size == WordSize {
			return reflect.TypeFor[common.Hash]()
		}
		return reflect.ArrayOf(t.size, reflect.TypeFor[byte]())
	case kindBytes:
		return reflect.TypeFor[[]byte]()
	case kindString:
		return reflect.TypeFor[string]()
	case kindTuple:
		return reflect.TypeFor[Tuple]()
	default:
		return reflect.SliceOf(t.elem.goType())
	}
}
