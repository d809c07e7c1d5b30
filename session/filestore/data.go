package filestore

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/go-sesame/sesame/internal/cores"
	"github.com/go-sesame/sesame/session"
)

// The buckets:
//
//	meta                         "format" → 4; "seal" → the sealed data key; "census" → how many accounts, keys
//	                             and lanes there are
//	accounts  chain ‖ account    "head" → version ‖ number of leaves ‖ header
//	                             "recent" → which leaves the last changes touched; a program of before that
//	                             does not know it leaves a gap, by which it is seen
//	                             leaves: position → leaf
//	                             ids:    ID → position
//	refs      what format 1 had instead of accounts; empty
//	keys      chain ‖ account ‖ address → sealed key
//	lanes     chain ‖ account ‖ lane → end of its lease in Unix nanoseconds, 0 after a release ‖ holder;
//	          not there before a lane was leased
//	sends, finds, and "sends" in meta: the outbox; ledgers: what accounts spent; "stops" in meta: see there
//
// Numbers are big-endian, so that keys are in the order of a listing. Every record ends with a checksum.
var (
	metaBucket     = []byte("meta")
	accountsBucket = []byte("accounts")
	keysBucket     = []byte("keys")
	lanesBucket    = []byte("lanes")
	leavesBucket   = []byte("leaves")
	idsBucket      = []byte("ids")

	formatKey = []byte("format")
	sealKey   = []byte("seal")
	headKey   = []byte("head")
	recentKey = []byte("recent")
)

// lockTimeout bounds the wait for programs that have the file open without our locks.
const lockTimeout = 5 * time.Second

// How the data is opened.
type mode int

const (
	toRead mode = iota
	toWrite
	toCreate
)

func openData(path string, how mode, openFile func(string, int, os.FileMode) (*os.File, error)) (*database, error) {
	d := &database{path: path}
	err := guard(path, func() (err error) {
		d.DB, err = bbolt.Open(path, 0o600, &bbolt.Options{
			ReadOnly:     how == toRead,
			Timeout:      lockTimeout,
			FreelistType: bbolt.FreelistMapType,
			NoStatistics: true,
			OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
				if how != toCreate {
					flag &^= os.O_CREATE
				}
				if d.file, err = openFile(name, flag, perm); err != nil || how == toCreate {
					return d.file, err
				}
				if info, err := d.file.Stat(); err == nil && info.Size() == 0 { // bbolt would begin anew
					return nil, errors.Join(damaged("%s is empty", path), d.file.Close())
				}
				return d.file, nil
			},
		})
		return err
	})
	if d.DB == nil && d.file != nil {
		_ = releaseFile(d.file) // if bbolt panicked
	}
	switch {
	case err == nil:
		return d, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, gone(path)
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("%w: another program has locked %s; close it there", ErrInUse, path)
	case errors.Is(err, session.ErrDamaged):
		return nil, err
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum):
		return nil, damaged("%s: %v", path, err)
	}
	_, failed := errors.AsType[*fs.PathError](err)
	if _, system := errors.AsType[syscall.Errno](err); !failed && !system {
		return nil, damaged("%s: %v", path, err) // such as a size that cannot be
	}
	return nil, fmt.Errorf("open session data: %w", err)
}

const refSize = 8 + common.AddressLength

func refKey(ref session.Ref) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, refSize+common.AddressLength), ref.ChainID)
	return append(b, ref.Account[:]...)
}

func parseRef(b []byte) (session.Ref, error) {
	if len(b) != refSize {
		return session.Ref{}, damaged("%x names no account", b)
	}
	return session.Ref{ChainID: binary.BigEndian.Uint64(b), Account: common.BytesToAddress(b[8:])}, nil
}

// positionSize is the size of a [positionKey].
const positionSize = 8

func positionKey(i int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(i)) }

// sessions is the bucket of one account.
type sessions struct {
	*bbolt.Bucket
	ref []byte // its name
}

// sessionsOf returns nil for an account that was never stored.
func sessionsOf(tx *bbolt.Tx, ref session.Ref) *sessions {
	name := refKey(ref)
	if b := tx.Bucket(accountsBucket).Bucket(name); b != nil {
		return &sessions{b, name}
	}
	return nil
}

// head is what is stored of an account beside its leaves.
type head struct {
	version uint64
	leaves  int
	header  []byte // JSON
}

const headSize = 16

func (s *sessions) head() (head, error) {
	b, err := checked(headKey, s.ref, s.Get(headKey), "the version of an account")
	if err == nil && len(b) < headSize {
		err = damaged("an account without a version")
	}
	if err != nil {
		return head{}, err
	}
	return head{binary.BigEndian.Uint64(b), int(binary.BigEndian.Uint64(b[8:])), b[headSize:]}, nil
}

func (s *sessions) putHead(h head) error {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, headSize+len(h.header)+sumSize), h.version)
	b = append(binary.BigEndian.AppendUint64(b, uint64(h.leaves)), h.header...)
	return s.Put(headKey, withSum(headKey, s.ref, b))
}

// version is 0 for an account that was never stored.
func (s *sessions) version() (uint64, error) {
	if s == nil {
		return 0, nil
	}
	h, err := s.head()
	return h.version, err
}

// decode reads the header.
func (h *head) decode() (header session.Header, err error) {
	if err := json.Unmarshal(h.header, &header); err != nil {
		return header, damaged("header: %v", err)
	}
	return header, nil
}

func (s *sessions) load() (*session.State, error) {
	h, err := s.head()
	if err != nil {
		return nil, err
	}
	leaves := s.leaves()
	if leaves == nil || countOf(leaves) != h.leaves {
		return nil, damaged("an account has not its %d leaves", h.leaves)
	}
	state := &session.State{Version: h.version, Leaves: make([]session.Leaf, h.leaves)}
	if state.Header, err = h.decode(); err != nil {
		return nil, err
	}
	records := make([][]byte, 0, h.leaves)
	cursor := leaves.Cursor()
	for key, stored := cursor.First(); key != nil; key, stored = cursor.Next() {
		switch n := len(records); {
		case n == h.leaves:
			return nil, damaged("an account has more than its %d leaves", h.leaves)
		case len(key) != positionSize || binary.BigEndian.Uint64(key) != uint64(n):
			return nil, damaged("leaf %d is missing", n)
		}
		records = append(records, stored)
	}
	if len(records) != h.leaves {
		return nil, damaged("leaf %d is missing", len(records))
	}
	if err := s.decode(state.Leaves, records); err != nil {
		return nil, err
	}
	return state, nil
}

// together is how many leaves are decoded in one go.
const together = 256

// decode reads the records of all leaves, on several cores where they are many.
func (s *sessions) decode(leaves []session.Leaf, records [][]byte) error {
	path := s.Tx().DB().Path()
	errs := make([]error, (len(records)+together-1)/together)
	cores.Each(len(errs), func(n int) {
		from := n * together
		to := min(from+together, len(records))
		errs[n] = guard(path, func() error { return s.decodeFrom(from, leaves[from:to], records[from:to]) })
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// decodeFrom reads the records of leaves from that position on.
func (s *sessions) decodeFrom(from int, leaves []session.Leaf, records [][]byte) error {
	memory, place, room := &leafMemory{size: pieceSize}, s.at(positionKey(from)), []byte(nil)
	for n, stored := range records {
		binary.BigEndian.PutUint64(place[len(place)-positionSize:], uint64(from+n))
		record, ok := withoutSum(&room, leavesBucket, place, stored)
		if !ok {
			return changedElsewhere("leaf %d", from+n)
		}
		if err := memory.decode(&leaves[n], record); err != nil {
			return fmt.Errorf("leaf %d: %w", from+n, err)
		}
	}
	return nil
}

func (s *sessions) leaves() *bbolt.Bucket { return s.Bucket.Bucket(leavesBucket) }

func (s *sessions) ids() *bbolt.Bucket { return s.Bucket.Bucket(idsBucket) }

// at is where in all accounts a leaf, or an ID, stands.
func (s *sessions) at(key []byte) []byte { return append(s.ref[:len(s.ref):len(s.ref)], key...) }

// position returns where the leaf with that ID stands.
func (s *sessions) position(id string) (i int, ok bool, err error) {
	stored := s.ids().Get([]byte(id))
	if stored == nil {
		return 0, false, nil
	}
	b, err := checked(idsBucket, s.at([]byte(id)), stored, "the position of leaf %q", id)
	if err == nil && len(b) != 8 {
		err = damaged("the position of leaf %q is none", id)
	}
	if err != nil {
		return 0, false, err
	}
	return int(binary.BigEndian.Uint64(b)), true, nil
}

// leaf returns the record of a leaf.
func (s *sessions) leaf(i int) ([]byte, error) {
	key := positionKey(i)
	return checked(leavesBucket, s.at(key), s.leaves().Get(key), "leaf %d", i)
}

// countOf returns the number of leaves.
func countOf(leaves *bbolt.Bucket) int {
	last, _ := leaves.Cursor().Last()
	if len(last) != 8 {
		return 0
	}
	return int(binary.BigEndian.Uint64(last)) + 1
}

// each calls use with the leaves from that position on, until it returns false.
func (s *sessions) each(from int, use func(i int, leaf *session.Leaf) (more bool, err error)) error {
	leaves := s.leaves()
	if leaves == nil {
		return damaged("an account without leaves")
	}
	cursor := leaves.Cursor()
	i := from
	for key, stored := cursor.Seek(positionKey(from)); key != nil; key, stored = cursor.Next() {
		if !bytes.Equal(key, positionKey(i)) {
			return damaged("leaf %d is missing", i)
		}
		record, err := checked(leavesBucket, s.at(key), stored, "leaf %d", i)
		if err != nil {
			return err
		}
		leaf, err := decodeLeaf(record)
		if err != nil {
			return fmt.Errorf("leaf %d: %w", i, err)
		}
		if more, err := use(i, leaf); err != nil || !more {
			return err
		}
		i++
	}
	return nil
}
