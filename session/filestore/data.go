package filestore

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/go-sesame/sesame/session"
)

// The buckets:
//
//	meta                         "format" → 2; "seal" → the sealed data key
//	accounts  chain ‖ account    "head" → version ‖ header
//	                             leaves: position → leaf
//	                             ids:    ID → position
//	refs      what format 1 had instead of accounts; empty
//	keys      chain ‖ account ‖ address → sealed key
//	lanes     chain ‖ account ‖ lane → end of its lease in Unix nanoseconds, 0 after a release ‖ holder;
//	          not there before a lane was leased
//
// Numbers are big-endian, so that keys are in the order of a listing.
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
)

// lockTimeout bounds the wait for programs that have the file open without our locks.
const lockTimeout = 5 * time.Second

func openData(path string, readOnly bool, openFile func(string, int, os.FileMode) (*os.File, error)) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		ReadOnly:     readOnly,
		Timeout:      lockTimeout,
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		OpenFile:     openFile,
	})
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("%w: another program has locked %s; close it there", ErrInUse, path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum):
		return nil, damaged("%s: %v", path, err)
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

func positionKey(i int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(i)) }

// sessions is the bucket of one account.
type sessions struct{ *bbolt.Bucket }

// sessionsOf returns nil for an account that was never stored.
func sessionsOf(tx *bbolt.Tx, ref session.Ref) *sessions {
	if b := tx.Bucket(accountsBucket).Bucket(refKey(ref)); b != nil {
		return &sessions{b}
	}
	return nil
}

// version is 0 for an account that was never stored.
func (s *sessions) version() (uint64, error) {
	if s == nil {
		return 0, nil
	}
	head := s.Get(headKey)
	if len(head) < 8 {
		return 0, damaged("an account without a version")
	}
	return binary.BigEndian.Uint64(head), nil
}

// head returns what is stored of an account beside its leaves.
func (s *sessions) head() (version uint64, header session.Header, err error) {
	if version, err = s.version(); err != nil {
		return 0, header, err
	}
	if err := json.Unmarshal(s.Get(headKey)[8:], &header); err != nil {
		return 0, header, damaged("header: %v", err)
	}
	return version, header, nil
}

func (s *sessions) load() (*session.State, error) {
	version, header, err := s.head()
	if err != nil {
		return nil, err
	}
	state := &session.State{Version: version, Header: header, Leaves: make([]session.Leaf, countOf(s.leaves()))}
	err = s.each(0, func(i int, leaf *session.Leaf) (bool, error) {
		state.Leaves[i] = *leaf
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return state, nil
}

func (s *sessions) leaves() *bbolt.Bucket { return s.Bucket.Bucket(leavesBucket) }

// countOf returns the number of leaves.
func countOf(leaves *bbolt.Bucket) int {
	last, _ := leaves.Cursor().Last()
	if last == nil {
		return 0
	}
	return int(binary.BigEndian.Uint64(last)) + 1
}

// each calls use with the leaves from that position on, until it returns false.
func (s *sessions) each(from int, use func(i int, leaf *session.Leaf) (more bool, err error)) error {
	cursor := s.leaves().Cursor()
	i := from
	for key, record := cursor.Seek(positionKey(from)); key != nil; key, record = cursor.Next() {
		if !bytes.Equal(key, positionKey(i)) {
			return damaged("leaf %d is missing", i)
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
