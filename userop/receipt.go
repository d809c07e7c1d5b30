package userop

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/internal/quantity"
)

// Receipt is what became of an included operation.
type Receipt struct {
	UserOpHash common.Hash
	EntryPoint common.Address
	Sender     common.Address
	Nonce      uint256.Int
	// Paymaster is zero when the account paid itself.
	Paymaster common.Address
	// ActualGasCost is what the operation cost its payer, in wei.
	ActualGasCost uint256.Int
	// ActualGasUsed is the gas charged to the operation.
	ActualGasUsed uint256.Int
	// Success is false when the account's own call reverted. The operation is on chain all the same.
	Success bool
	// Reason is the bundler's words for the revert, if it has any.
	Reason string
	// RevertData is what the inner call reverted with, read from the EntryPoint's UserOperationRevertReason
	// event; nil where there is none.
	RevertData []byte

	// Confirmed says that the node showed the inclusion, and that all fields but Reason are what the chain
	// has. It is false for a receipt as a bundler gave it, which is the bundler's word alone.
	Confirmed bool

	// TransactionHash, BlockHash and BlockNumber say where the bundle landed.
	TransactionHash common.Hash
	BlockHash       common.Hash
	BlockNumber     uint64
	// Logs are the logs of the operation itself, as far as the bundler tells them apart. In a confirmed
	// receipt they are the chain's: all of an operation that failed, or that the bundler did not tell right,
	// and otherwise those of the contracts that the bundler's receipt has logs of.
	Logs []*types.Log

	// nonceZero says that the service named a Nonce of zero, instead of none.
	nonceZero bool
}

// receiptJSON is the shape of eth_getUserOperationReceipt's answer in ERC-7769.
type receiptJSON struct {
	UserOpHash    common.Hash        `json:"userOpHash"`
	EntryPoint    common.Address     `json:"entryPoint"`
	Sender        common.Address     `json:"sender"`
	Nonce         *quantity.Quantity `json:"nonce,omitempty"`
	Paymaster     *common.Address    `json:"paymaster,omitempty"`
	ActualGasCost quantity.Quantity  `json:"actualGasCost"`
	ActualGasUsed quantity.Quantity  `json:"actualGasUsed"`
	Success       bool               `json:"success"`
	Reason        string             `json:"reason,omitempty"`
	Logs          []*types.Log       `json:"logs"`
	Receipt       inclusionJSON      `json:"receipt"`
}

// MarshalJSON writes the receipt as a bundler answers eth_getUserOperationReceipt.
func (r Receipt) MarshalJSON() ([]byte, error) {
	out := receiptJSON{
		UserOpHash:    r.UserOpHash,
		EntryPoint:    r.EntryPoint,
		Sender:        r.Sender,
		ActualGasCost: quantity.Quantity(r.ActualGasCost),
		ActualGasUsed: quantity.Quantity(r.ActualGasUsed),
		Success:       r.Success,
		Reason:        r.Reason,
		Logs:          r.Logs,
		Receipt:       inclusionJSON{r.TransactionHash, r.BlockHash, hexutil.Uint64(r.BlockNumber)},
	}
	if r.Paymaster != (common.Address{}) {
		out.Paymaster = &r.Paymaster
	}
	if !r.Nonce.IsZero() || r.nonceZero || r.Sender != (common.Address{}) { // or else it was not told
		out.Nonce = (*quantity.Quantity)(&r.Nonce)
	}
	if out.Reason == "" && r.RevertData != nil {
		out.Reason = hexutil.Encode(r.RevertData)
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads the answer of eth_getUserOperationReceipt in the shapes bundlers give it: numbers as
// 0x-hex, decimal strings or JSON numbers, success as true or "true", a hash that is not known as "", and the
// transaction and block in a nested "receipt", beside the other fields, or in the logs only. userOpHash,
// success and a transaction hash have to be there; everything else may be missing. RevertData is taken from
// the EntryPoint's UserOperationRevertReason event, or from a reason that is 0x-hex. The error names every
// field that is missing or wrong, and then the receipt is unchanged.
func (r *Receipt) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return fmt.Errorf("user operation receipt: %w", err)
	}
	var read Receipt
	obj.Require("userOpHash", &read.UserOpHash)
	obj.Require("success", (*lenientBool)(&read.Success))
	obj.OptionalHex("entryPoint", &read.EntryPoint)
	obj.OptionalHex("sender", &read.Sender)
	obj.Optional("nonce", (*quantity.Quantity)(&read.Nonce))
	obj.OptionalHex("paymaster", &read.Paymaster)
	obj.Optional("actualGasCost", (*quantity.Quantity)(&read.ActualGasCost))
	obj.Optional("actualGasUsed", (*quantity.Quantity)(&read.ActualGasUsed))
	obj.Optional("reason", &read.Reason)

	beside := readInclusion(obj)
	var nested inclusion
	obj.Optional("receipt", &nested)
	read.setInclusion(nested, beside)
	if read.TransactionHash == (common.Hash{}) {
		obj.Missing("transactionHash (in receipt, beside it or in a log)")
	}
	if read.BlockHash == (common.Hash{}) && read.BlockNumber == 0 && (nested.open || beside.open) {
		obj.Missing("the block: the transaction is not in one yet")
	}
	if err := obj.Err(); err != nil {
		return fmt.Errorf("user operation receipt: %w", err)
	}
	read.setRevertData(nested.logs)
	read.nonceZero = obj.Has("nonce") && read.Nonce.IsZero()
	*r = read
	return nil
}

// setInclusion fills in where the operation landed, preferring the bundle's own receipt.
func (r *Receipt) setInclusion(nested, beside inclusion) {
	r.Logs = beside.logs
	if len(r.Logs) == 0 {
		r.Logs = nested.logs
	}
	for _, p := range []inclusion{nested, beside, inclusionOf(r.Logs)} {
		if r.TransactionHash == (common.Hash{}) {
			r.TransactionHash = p.transactionHash
		}
		if r.BlockHash == (common.Hash{}) {
			r.BlockHash = p.blockHash
		}
		if r.BlockNumber == 0 {
			r.BlockNumber = p.blockNumber
		}
	}
}

// setRevertData takes the revert bytes out of the EntryPoint's event, which some bundlers keep among the
// bundle's logs only, or out of a reason that is those bytes in hex.
func (r *Receipt) setRevertData(bundleLogs []*types.Log) {
	if r.Success {
		return
	}
	if data, err := hexutil.Decode(r.Reason); err == nil {
		r.Reason, r.RevertData = "", data
	}
	for _, log := range slices.Concat(r.Logs, bundleLogs) {
		if data, ok := r.revertDataOf(log); ok {
			r.RevertData = data
			return
		}
	}
}

// revertDataOf reads a UserOperationRevertReason event of this very operation and EntryPoint: the account's
// own calls may emit look-alikes.
func (r *Receipt) revertDataOf(log *types.Log) ([]byte, bool) {
	if r.EntryPoint != (common.Address{}) && log.Address != r.EntryPoint {
		return nil, false
	}
	if len(log.Topics) < 2 || log.Topics[1] != r.UserOpHash {
		return nil, false
	}
	// Services are not always exact about the topics after the hash, which tell nothing new.
	exact := types.Log{Topics: []common.Hash{log.Topics[0], log.Topics[1], {}}, Data: log.Data}
	event, err := contracts.DecodeUserOperationRevertReason(&exact)
	return event.RevertData, err == nil
}

// inclusion is the transaction and block an operation is in, as one object of a bundler's answer tells it.
type inclusion struct {
	transactionHash common.Hash
	blockHash       common.Hash
	blockNumber     uint64
	// open says that the block is not known yet, as of a transaction that is only tried.
	open bool
	logs []*types.Log
}

// inclusionJSON is how an inclusion goes out, inside a receipt.
type inclusionJSON struct {
	TransactionHash common.Hash    `json:"transactionHash"`
	BlockHash       common.Hash    `json:"blockHash"`
	BlockNumber     hexutil.Uint64 `json:"blockNumber"`
}

// readInclusion takes an inclusion out of an object; all its fields may be missing.
func readInclusion(obj *jsonobject.Reader) inclusion {
	var p inclusion
	var logs []lenientLog
	obj.OptionalHex("transactionHash", &p.transactionHash)
	obj.OptionalHex("blockHash", &p.blockHash)
	obj.OptionalHex("blockNumber", (*lenientUint64)(&p.blockNumber))
	p.open = obj.Open("blockHash") || obj.Open("blockNumber")
	obj.Optional("logs", &logs)
	for i := range logs {
		p.logs = append(p.logs, (*types.Log)(&logs[i]))
	}
	return p
}

// UnmarshalJSON reads the bundle's transaction receipt.
func (p *inclusion) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return err
	}
	*p = readInclusion(obj)
	return obj.Err()
}

// inclusionOf is the inclusion that logs tell of.
func inclusionOf(logs []*types.Log) inclusion {
	for _, log := range logs {
		if log.TxHash != (common.Hash{}) {
			return inclusion{transactionHash: log.TxHash, blockHash: log.BlockHash, blockNumber: log.BlockNumber}
		}
	}
	return inclusion{}
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
	obj.OptionalHex("blockNumber", (*lenientUint64)(&l.BlockNumber))
	obj.OptionalHex("blockHash", &l.BlockHash)
	obj.OptionalHex("transactionHash", &l.TxHash)
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
