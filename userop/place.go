package userop

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/internal/quantity"
)

// place is where an operation landed, as one object of a bundler's answer tells it.
type place struct {
	transactionHash common.Hash
	blockHash       common.Hash
	blockNumber     uint64
	logs            []*types.Log
}

// placeJSON is how a place goes out, inside a receipt.
type placeJSON struct {
	TransactionHash common.Hash    `json:"transactionHash"`
	BlockHash       common.Hash    `json:"blockHash"`
	BlockNumber     hexutil.Uint64 `json:"blockNumber"`
}

// readPlace takes a place out of an object; all its fields may be missing.
func readPlace(obj *jsonobject.Reader) place {
	var p place
	var logs []lenientLog
	obj.Optional("transactionHash", &p.transactionHash)
	obj.Optional("blockHash", &p.blockHash)
	obj.Optional("blockNumber", (*lenientUint64)(&p.blockNumber))
	obj.Optional("logs", &logs)
	for i := range logs {
		p.logs = append(p.logs, (*types.Log)(&logs[i]))
	}
	return p
}

// UnmarshalJSON reads the bundle's transaction receipt.
func (p *place) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return err
	}
	*p = readPlace(obj)
	return obj.Err()
}

// placeOf is the place that logs tell of.
func placeOf(logs []*types.Log) place {
	for _, log := range logs {
		if log.TxHash != (common.Hash{}) {
			return place{transactionHash: log.TxHash, blockHash: log.BlockHash, blockNumber: log.BlockNumber}
		}
	}
	return place{}
}

// lenientLog is an event log whose numbers may come in any of the forms of [quantity.Quantity].
type lenientLog types.Log

func (l *lenientLog) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return err
	}
	var txIndex, index uint64
	obj.Require("address", &l.Address)
	obj.Require("topics", &l.Topics)
	obj.Optional("data", (*hexutil.Bytes)(&l.Data))
	obj.Optional("blockNumber", (*lenientUint64)(&l.BlockNumber))
	obj.Optional("blockHash", &l.BlockHash)
	obj.Optional("transactionHash", &l.TxHash)
	obj.Optional("transactionIndex", (*lenientUint64)(&txIndex))
	obj.Optional("logIndex", (*lenientUint64)(&index))
	obj.Optional("removed", &l.Removed)
	l.TxIndex, l.Index = uint(txIndex), uint(index)
	return obj.Err()
}

// lenientUint64 is a [quantity.Quantity] of at most 64 bits.
type lenientUint64 uint64

func (u *lenientUint64) UnmarshalJSON(data []byte) error {
	var q quantity.Quantity
	if err := q.UnmarshalJSON(data); err != nil {
		return err
	}
	v, err := q.Uint64()
	*u = lenientUint64(v)
	return err
}

// lenientBool is true or false, as JSON or in a string.
type lenientBool bool

func (b *lenientBool) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "true", `"true"`:
		*b = true
	case "false", `"false"`:
		*b = false
	default:
		return fmt.Errorf("%s is neither true nor false", jsonobject.Quote(string(data)))
	}
	return nil
}

// lenientAddress is an address, or zero where a service writes "0x" or "" for none.
type lenientAddress common.Address

func (a *lenientAddress) UnmarshalJSON(data []byte) error {
	if s := string(data); s == `"0x"` || s == `""` {
		*a = lenientAddress{}
		return nil
	}
	return (*common.Address)(a).UnmarshalJSON(data)
}
