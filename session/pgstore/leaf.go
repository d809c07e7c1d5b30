package pgstore

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/go-sesame/sesame/session"
)

// leafColumns are the columns of a leaf, in the order of leafRow's targets.
const leafColumns = `id, status, in_tree, valid_until, valid_after, module, key, data, function`

// leafRow reads rows of leaves. It is used row after row.
type leafRow struct {
	leaf                      session.Leaf
	status                    int16
	id, module, key, function pgtype.DriverBytes // until the next row only
}

// targets returns where to scan leafColumns to.
func (r *leafRow) targets() []any {
	return []any{&r.id, &r.status, &r.leaf.InTree, &r.leaf.ValidUntil, &r.leaf.ValidAfter, &r.module, &r.key, &r.leaf.Data, &r.function}
}

// take returns the leaf that was scanned.
func (r *leafRow) take() session.Leaf {
	leaf := r.leaf
	leaf.ID, leaf.Function = string(r.id), string(r.function)
	leaf.Status = session.Status(r.status)
	leaf.Module, leaf.Key = common.BytesToAddress(r.module), common.BytesToAddress(r.key)
	if len(leaf.Data) == 0 {
		leaf.Data = nil
	}
	r.leaf.Data = nil
	return leaf
}

func collectLeaves(rows pgx.Rows) (leaves []session.Leaf, err error) {
	var row leafRow
	targets := row.targets()
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		leaves = append(leaves, row.take())
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
