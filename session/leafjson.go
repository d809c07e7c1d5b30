package session

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/session/policy"
)

// leafJSON is a [Leaf] as stores and documents write it.
type leafJSON struct {
	ID         string         `json:"id"`
	Status     Status         `json:"status"`
	InTree     bool           `json:"inTree"`
	ValidUntil uint64         `json:"validUntil"`
	ValidAfter uint64         `json:"validAfter"`
	Module     common.Address `json:"module"`
	Key        common.Address `json:"key"`
	Data       hexutil.Bytes  `json:"data"`
	Function   string         `json:"function,omitempty"`
}

// MarshalJSON writes every field of the leaf, bytes as 0x-hex and times as unix seconds.
func (l Leaf) MarshalJSON() ([]byte, error) {
	return json.Marshal(leafJSON{
		ID: l.ID, Status: l.Status, InTree: l.InTree, ValidUntil: l.ValidUntil, ValidAfter: l.ValidAfter,
		Module: l.Module, Key: l.Key, Data: l.Data, Function: l.Function,
	})
}

// UnmarshalJSON reads what MarshalJSON writes, and refuses unknown fields and leaves that are not valid.
func (l *Leaf) UnmarshalJSON(text []byte) error {
	var read leafJSON
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil {
		return fmt.Errorf("%w: session leaf: %w", policy.ErrInvalid, err)
	}
	leaf := Leaf{
		ID: read.ID, Status: read.Status, InTree: read.InTree, Key: read.Key,
		Compiled: policy.Compiled{
			ValidUntil: read.ValidUntil, ValidAfter: read.ValidAfter, Module: read.Module, Data: read.Data, Function: read.Function,
		},
	}
	if err := leaf.Validate(); err != nil {
		return err
	}
	*l = leaf
	return nil
}
