package pgstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/storekit"
)

// leafColumns are the columns of a leaf, in the order of leafRow's targets.
const leafColumns = `id, status, in_tree, valid_until, valid_after, module, key, data, function, checksum`

// leafRow reads rows of leaves. It is used row after row.
type leafRow struct {
	leaf                      session.Leaf
	status                    int16
	id, module, key, function pgtype.DriverBytes // until the next row only, as what follows
	checksum                  pgtype.DriverBytes
	buffer                    []byte
}

// targets returns where to scan leafColumns to.
func (r *leafRow) targets() []any {
	return []any{&r.id, &r.status, &r.leaf.InTree, &r.leaf.ValidUntil, &r.leaf.ValidAfter, &r.module, &r.key, &r.leaf.Data, &r.function, &r.checksum}
}

// sum is sesame_leaf_sum, which takes the server several times as long.
func (r *leafRow) sum(at storekit.Place) [sha256.Size]byte {
	b := append(r.buffer[:0], "leaf"...)
	b = binary.BigEndian.AppendUint64(b, at.Ref.ChainID)
	b = append(b, at.Ref.Account[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(at.Position))
	b = binary.BigEndian.AppendUint16(b, uint16(r.status))
	if r.leaf.InTree {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = binary.BigEndian.AppendUint64(b, r.leaf.ValidUntil)
	b = binary.BigEndian.AppendUint64(b, r.leaf.ValidAfter)
	b = append(append(b, r.module...), r.key...)
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(r.id))), r.id...)
	b = append(binary.BigEndian.AppendUint64(b, uint64(len(r.leaf.Data))), r.leaf.Data...)
	r.buffer = append(b, r.function...)
	return sha256.Sum256(r.buffer)
}

// take returns the leaf that was scanned, from the row at that place.
func (r *leafRow) take(at storekit.Place) (session.Leaf, error) {
	leaf := r.leaf
	if sum := r.sum(at); !bytes.Equal(sum[:], r.checksum) {
		return session.Leaf{}, damagedRow(fmt.Sprintf("its row in sesame_leaves at position %d", at.Position))
	}
	leaf.ID, leaf.Function = string(r.id), string(r.function)
	leaf.Status = session.Status(r.status)
	leaf.Module, leaf.Key = common.BytesToAddress(r.module), common.BytesToAddress(r.key)
	if len(leaf.Data) == 0 {
		leaf.Data = nil
	}
	r.leaf.Data = nil
	if err := storekit.CheckStatus(&leaf); err != nil {
		return session.Leaf{}, damaged("its row in sesame_leaves at position %d: %v", at.Position, err)
	}
	return leaf, nil
}

func collectLeaves(rows pgx.Rows, ref session.Ref) (leaves []session.Leaf, err error) {
	var row leafRow
	at := storekit.Place{Ref: ref}
	targets := append([]any{&at.Position}, row.targets()...)
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		leaf, err := row.take(at)
		switch {
		case err != nil:
			return nil, err
		case at.Position != len(leaves):
			return nil, damaged("its row in sesame_leaves at position %d is missing", len(leaves))
		}
		leaves = append(leaves, leaf)
	}
	return leaves, rows.Err()
}

// leafArrays are leaves as sesame_apply takes them: an array for each column.
type leafArrays struct {
	id, module, key, data, function [][]byte
	status                          []int16
	inTree                          []bool
	until, after                    []int64
}

func arraysOf(leaves []session.Leaf) *leafArrays {
	n := len(leaves)
	a := &leafArrays{
		id: make([][]byte, n), module: make([][]byte, n), key: make([][]byte, n), data: make([][]byte, n), function: make([][]byte, n),
		status: make([]int16, n), inTree: make([]bool, n), until: make([]int64, n), after: make([]int64, n),
	}
	for i := range leaves {
		leaf := &leaves[i]
		a.id[i], a.function[i] = []byte(leaf.ID), []byte(leaf.Function)
		a.module[i], a.key[i] = leaf.Module[:], leaf.Key[:]
		a.data[i] = leaf.Data
		if leaf.Data == nil {
			a.data[i] = []byte{} // nil would be null
		}
		a.status[i], a.inTree[i] = int16(leaf.Status), leaf.InTree
		a.until[i], a.after[i] = int64(leaf.ValidUntil), int64(leaf.ValidAfter)
	}
	return a
}
