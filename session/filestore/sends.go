package filestore

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"go.etcd.io/bbolt"

	"github.com/go-sesame/sesame/userop/outbox"
)

// The buckets of the outbox, which are not there before a send was recorded:
//
//	sends   ID → outbox.Entry in JSON
//	finds   what entries are found by → ID:
//	        "k" ‖ chain ‖ account ‖ key
//	        "n" ‖ chain ‖ account ‖ nonce              of an open one
//	        "h" ‖ hash ‖ ID                            of each operation
//	        "d" ‖ end of the lease ‖ ID                of one that somebody has something to do with
//	        "o" ‖ end ‖ ID                             of one that nobody has
//
// and in meta "sends" → the ID given last ‖ how many entries there are. Times are in Unix microseconds.
var (
	sendsBucket = []byte("sends")
	findsBucket = []byte("finds")
	sendsKey    = []byte("sends")
)

// What an entry is found by.
const (
	byKey   = 'k'
	byNonce = 'n'
	byHash  = 'h'
	byLease = 'd'
	byEnd   = 'o'
)

// sends are the entries as one transaction has them. The buckets are nil before there are any.
type sends struct {
	tx             *bbolt.Tx
	entries, finds *bbolt.Bucket
}

func sendsOf(tx *bbolt.Tx) *sends {
	return &sends{tx, tx.Bucket(sendsBucket), tx.Bucket(findsBucket)}
}

// makeSends is sendsOf for who records.
func makeSends(tx *bbolt.Tx) (*sends, error) {
	for _, name := range [][]byte{sendsBucket, findsBucket} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return nil, err
		}
	}
	return sendsOf(tx), nil
}

// sendCensus is the number given last, and how many entries there are.
type sendCensus struct{ last, entries uint64 }

func (s *sends) census() (c sendCensus, err error) {
	stored := s.tx.Bucket(metaBucket).Get(sendsKey)
	if stored == nil && s.none() {
		return c, nil
	}
	b, err := checked(metaBucket, sendsKey, stored, "the number of sends")
	if err != nil {
		return c, err
	}
	if len(b) != 16 || s.entries == nil || s.finds == nil {
		return c, damaged("the file has not the parts of an outbox")
	}
	return sendCensus{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}, nil
}

// none reports whether there is no entry.
func (s *sends) none() bool {
	if s.entries == nil {
		return true
	}
	first, _ := s.entries.Cursor().First()
	return first == nil
}

func (s *sends) putCensus(c sendCensus) error {
	b := number(c.last)
	b = binary.BigEndian.AppendUint64(b, c.entries)
	return s.tx.Bucket(metaBucket).Put(sendsKey, withSum(metaBucket, sendsKey, b))
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// get returns an entry, nil for none.
func (s *sends) get(id uint64) (*outbox.Entry, error) {
	if s.entries == nil {
		return nil, nil
	}
	name := number(id)
	stored := s.entries.Get(name)
	if stored == nil {
		return nil, nil
	}
	return s.decode(name, stored)
}

func (s *sends) decode(name, stored []byte) (*outbox.Entry, error) {
	record, err := checked(sendsBucket, name, stored, "send %x", name)
	if err != nil {
		return nil, err
	}
	e := new(outbox.Entry)
	if err := json.Unmarshal(record, e); err != nil {
		return nil, damaged("send %x: %v", name, err)
	}
	if !bytes.Equal(name, number(e.ID)) {
		return nil, damaged("send %x says that it is %x", name, e.ID)
	}
	return e, nil
}

// put writes an entry that was another one before, nil for a new one; nil now deletes it.
func (s *sends) put(before, now *outbox.Entry) error {
	old, fresh := findsOf(before), findsOf(now)
	for _, find := range old {
		if !slices.ContainsFunc(fresh, func(f []byte) bool { return bytes.Equal(f, find) }) {
			if err := s.finds.Delete(find); err != nil {
				return err
			}
		}
	}
	if now == nil {
		return s.entries.Delete(number(before.ID))
	}
	name := number(now.ID)
	for _, find := range fresh {
		if err := s.finds.Put(find, withSum(findsBucket, find, name)); err != nil {
			return err
		}
	}
	record, err := json.Marshal(now)
	if err != nil {
		return err
	}
	return s.entries.Put(name, withSum(sendsBucket, name, record))
}

// findsOf returns what an entry is found by.
func findsOf(e *outbox.Entry) (finds [][]byte) {
	if e == nil {
		return nil
	}
	finds = append(finds, keyFind(e.ChainID, e.Account, e.Key))
	for i := range e.Attempts {
		hash := findOf(byHash, e.Attempts[i].Hash[:], number(e.ID))
		if !slices.ContainsFunc(finds, func(f []byte) bool { return bytes.Equal(f, hash) }) {
			finds = append(finds, hash)
		}
	}
	if e.State == outbox.StateOpen {
		finds = append(finds, nonceFind(e.ChainID, e.Account, &e.Nonce))
	}
	if e.State == outbox.StateOpen || !e.Reported {
		return append(finds, findOf(byLease, moment(e.LeaseUntil), number(e.ID)))
	}
	return append(finds, findOf(byEnd, moment(e.EndedAt), number(e.ID)))
}

func findOf(kind byte, parts ...[]byte) []byte {
	return append([]byte{kind}, bytes.Join(parts, nil)...)
}

func keyFind(chainID uint64, account common.Address, key string) []byte {
	return findOf(byKey, number(chainID), account[:], []byte(key))
}

func noncesOf(chainID uint64, account common.Address) []byte {
	return findOf(byNonce, number(chainID), account[:])
}

func nonceFind(chainID uint64, account common.Address, nonce *uint256.Int) []byte {
	word := nonce.Bytes32()
	return append(noncesOf(chainID, account), word[:]...)
}

// moment writes a time so that the order of the bytes is that of the times, and the zero time is first.
func moment(t time.Time) []byte {
	if t.IsZero() {
		return number(0)
	}
	return number(uint64(t.UnixMicro()) ^ (1 << 63))
}

// found returns the entry that find leads to, nil for none.
func (s *sends) found(find []byte) (*outbox.Entry, error) {
	if s.finds == nil {
		return nil, nil
	}
	stored := s.finds.Get(find)
	if stored == nil {
		return nil, nil
	}
	return s.follow(find, stored)
}

// follow returns the entry that a record of finds leads to.
func (s *sends) follow(find, stored []byte) (*outbox.Entry, error) {
	id, err := checked(findsBucket, find, stored, "the place of a send")
	if err == nil && len(id) != 8 {
		err = damaged("the place of a send is %x", id)
	}
	if err != nil {
		return nil, err
	}
	e, err := s.get(binary.BigEndian.Uint64(id))
	if err == nil && e == nil {
		err = damaged("send %x is missing", id)
	}
	return e, err
}

// each calls use with the entries that begin leads to, in order, until it returns false.
func (s *sends) each(begin []byte, use func(*outbox.Entry) (more bool)) error {
	if s.finds == nil {
		return nil
	}
	cursor := s.finds.Cursor()
	for find, stored := cursor.Seek(begin); bytes.HasPrefix(find, begin); find, stored = cursor.Next() {
		e, err := s.follow(find, stored)
		if err != nil {
			return err
		}
		if !use(e) {
			break
		}
	}
	return nil
}

// newestFirst calls use with the entries whose IDs are below that one, until it returns false.
func (s *sends) newestFirst(before uint64, use func(*outbox.Entry) (more bool)) error {
	if s.entries == nil {
		return nil
	}
	if before == 0 {
		before = math.MaxUint64
	}
	cursor := s.entries.Cursor()
	name, stored := cursor.Seek(number(before))
	if name == nil {
		name, stored = cursor.Last()
	} else {
		name, stored = cursor.Prev()
	}
	for ; name != nil; name, stored = cursor.Prev() {
		e, err := s.decode(name, stored)
		if err != nil {
			return err
		}
		if !use(e) {
			break
		}
	}
	return nil
}

// checkSends reads all entries, and sees that they are found and that nothing else is.
func checkSends(tx *bbolt.Tx) error {
	s := sendsOf(tx)
	c, err := s.census()
	if err != nil || s.entries == nil {
		return err
	}
	var have sendCensus
	finds := 0
	err = s.entries.ForEach(func(name, stored []byte) error {
		e, err := s.decode(name, stored)
		if err != nil {
			return err
		}
		have.entries++
		have.last = e.ID
		for _, find := range findsOf(e) {
			finds++
			if stored := s.finds.Get(find); !bytes.Equal(stored, withSum(findsBucket, find, name)) {
				return damaged("send %x is not found", name)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if have.entries != c.entries || have.last > c.last || s.finds.Inspect().KeyN != finds {
		return damaged("there are %d sends up to %d, and should be %d up to %d", have.entries, have.last, c.entries, c.last)
	}
	return nil
}
