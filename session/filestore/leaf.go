package filestore

import (
	"encoding/binary"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

// A leaf is stored as a byte for the form, one for the status and one for InTree, the two times as varints,
// the two addresses, and then ID, data and function, each behind its length.
const leafForm = 1

func encodeLeaf(l *session.Leaf) []byte {
	b := make([]byte, 0, 3+4*binary.MaxVarintLen64+2*common.AddressLength+len(l.ID)+len(l.Data)+len(l.Function))
	b = append(b, leafForm, byte(l.Status), 0)
	if l.InTree {
		b[2] = 1
	}
	b = binary.AppendUvarint(b, l.ValidUntil)
	b = binary.AppendUvarint(b, l.ValidAfter)
	b = append(b, l.Module[:]...)
	b = append(b, l.Key[:]...)
	for _, field := range []string{l.ID, string(l.Data), l.Function} {
		b = binary.AppendUvarint(b, uint64(len(field)))
		b = append(b, field...)
	}
	return b
}

// decodeLeaf returns a leaf that shares no memory with the record.
func decodeLeaf(record []byte) (*session.Leaf, error) {
	l := new(session.Leaf)
	return l, new(leafMemory).decode(l, record)
}

// leafMemory is what leaves that are decoded together have their texts and data in: in pieces, of which each
// is there until the last leaf in it is gone.
type leafMemory struct {
	size     int // of a piece, at least; 0 for each text and data by itself
	data     []byte
	text     strings.Builder
	function string // of the leaf before, which mostly has the same
}

// pieceSize is for many leaves.
const pieceSize = 8 << 10

func (m *leafMemory) bytes(b []byte) []byte {
	if cap(m.data)-len(m.data) < len(b) {
		m.data = make([]byte, 0, max(m.size, len(b)))
	}
	begin := len(m.data)
	m.data = append(m.data, b...)
	return m.data[begin:len(m.data):len(m.data)]
}

func (m *leafMemory) string(b []byte) string {
	if m.text.Cap()-m.text.Len() < len(b) {
		m.text = strings.Builder{}
		m.text.Grow(max(m.size, len(b)))
	}
	begin := m.text.Len()
	m.text.Write(b)
	return m.text.String()[begin:]
}

// decode reads a leaf that shares no memory with the record.
func (m *leafMemory) decode(l *session.Leaf, record []byte) error {
	d := decoder{rest: record}
	if form := d.take(1); form == nil || form[0] != leafForm {
		return damaged("a leaf of unknown form")
	}
	if flags := d.take(2); flags != nil {
		l.Status, l.InTree = session.Status(flags[0]), flags[1] == 1
	}
	l.ValidUntil = d.uvarint()
	l.ValidAfter = d.uvarint()
	l.Module = common.BytesToAddress(d.take(common.AddressLength))
	l.Key = common.BytesToAddress(d.take(common.AddressLength))
	l.ID = m.string(d.take(d.uvarint()))
	l.Data = m.bytes(d.take(d.uvarint()))
	if function := d.take(d.uvarint()); string(function) != m.function {
		m.function = m.string(function)
	}
	l.Function = m.function
	if d.failed || len(d.rest) > 0 {
		return damaged("a leaf of %d bytes that do not fit it", len(record))
	}
	if err := storekit.CheckStatus(l); err != nil {
		return damaged("%v", err)
	}
	return nil
}

// decoder reads on, and remembers that there was not enough.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) take(n uint64) []byte {
	if d.failed || n > uint64(len(d.rest)) {
		d.failed = true
		return nil
	}
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if d.failed || n <= 0 {
		d.failed = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}
