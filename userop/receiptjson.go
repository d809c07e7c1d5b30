package userop

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/internal/quantity"
)

// receiptJSON is the shape of eth_getUserOperationReceipt's answer in ERC-7769.
type receiptJSON struct {
	UserOpHash    common.Hash       `json:"userOpHash"`
	EntryPoint    common.Address    `json:"entryPoint"`
	Sender        common.Address    `json:"sender"`
	Nonce         quantity.Quantity `json:"nonce"`
	Paymaster     *common.Address   `json:"paymaster,omitempty"`
	ActualGasCost quantity.Quantity `json:"actualGasCost"`
	ActualGasUsed quantity.Quantity `json:"actualGasUsed"`
	Success       bool              `json:"success"`
	Reason        string            `json:"reason,omitempty"`
	Logs          []*types.Log      `json:"logs"`
	Receipt       placeJSON         `json:"receipt"`
}

// MarshalJSON writes the receipt as a bundler answers eth_getUserOperationReceipt.
func (r Receipt) MarshalJSON() ([]byte, error) {
	out := receiptJSON{
		UserOpHash:    r.UserOpHash,
		EntryPoint:    r.EntryPoint,
		Sender:        r.Sender,
		Nonce:         quantity.Quantity(r.Nonce),
		ActualGasCost: quantity.Quantity(r.ActualGasCost),
		ActualGasUsed: quantity.Quantity(r.ActualGasUsed),
		Success:       r.Success,
		Reason:        r.Reason,
		Logs:          r.Logs,
		Receipt:       placeJSON{r.TransactionHash, r.BlockHash, hexutil.Uint64(r.BlockNumber)},
	}
	if r.Paymaster != (common.Address{}) {
		out.Paymaster = &r.Paymaster
	}
	if out.Reason == "" && r.RevertData != nil {
		out.Reason = hexutil.Encode(r.RevertData)
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads the answer of eth_getUserOperationReceipt in the shapes bundlers give it:
// numbers as 0x-hex, decimal strings or JSON numbers, success as true or "true", and the place on
// chain in a nested "receipt", beside the other fields, or in the logs only. userOpHash, success and
// a transaction hash have to be there; everything else may be missing. RevertData is taken from the
// EntryPoint's UserOperationRevertReason event, or from a reason that is 0x-hex. The error names every
// field that is missing or wrong, and then the receipt is unchanged.
func (r *Receipt) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return fmt.Errorf("user operation receipt: %w", err)
	}
	var read Receipt
	obj.Require("userOpHash", &read.UserOpHash)
	obj.Require("success", (*lenientBool)(&read.Success))
	obj.Optional("entryPoint", (*lenientAddress)(&read.EntryPoint))
	obj.Optional("sender", (*lenientAddress)(&read.Sender))
	obj.Optional("nonce", (*quantity.Quantity)(&read.Nonce))
	obj.Optional("paymaster", (*lenientAddress)(&read.Paymaster))
	obj.Optional("actualGasCost", (*quantity.Quantity)(&read.ActualGasCost))
	obj.Optional("actualGasUsed", (*quantity.Quantity)(&read.ActualGasUsed))
	obj.Optional("reason", &read.Reason)

	beside := readPlace(obj)
	var nested place
	obj.Optional("receipt", &nested)
	read.setPlace(nested, beside)
	if read.TransactionHash == (common.Hash{}) {
		obj.Missing("transactionHash (in receipt, beside it or in a log)")
	}
	if err := obj.Err(); err != nil {
		return fmt.Errorf("user operation receipt: %w", err)
	}
	read.setRevertData(nested.logs)
	*r = read
	return nil
}

// setPlace fills in where the operation landed, preferring the bundle's own receipt.
func (r *Receipt) setPlace(nested, beside place) {
	r.Logs = beside.logs
	if len(r.Logs) == 0 {
		r.Logs = nested.logs
	}
	for _, p := range []place{nested, beside, placeOf(r.Logs)} {
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

// setRevertData takes the revert bytes out of the EntryPoint's event, which some bundlers keep among
// the bundle's logs only, or out of a reason that is those bytes in hex.
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

// revertDataOf reads a UserOperationRevertReason event of this very operation and EntryPoint: the
// account's own calls may emit look-alikes.
func (r *Receipt) revertDataOf(log *types.Log) ([]byte, bool) {
	if r.EntryPoint != (common.Address{}) && log.Address != r.EntryPoint {
		return nil, false
	}
	event, err := contracts.DecodeUserOperationRevertReason(log)
	return event.RevertData, err == nil && event.UserOpHash == r.UserOpHash
}
