package outbox

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/userop"
)

// Outcome is what became of an entry, by what the chain showed. State says which fields it has.
type Outcome struct {
	State State `json:"state"`

	// Hash is the operation that was included, in Transaction of the block.
	Hash        common.Hash `json:"hash,omitzero"`
	Transaction common.Hash `json:"transaction,omitzero"`
	BlockHash   common.Hash `json:"blockHash,omitzero"`
	BlockNumber uint64      `json:"blockNumber,omitempty"`
	// Paymaster is zero where the account paid itself. Cost is what its payer paid, in wei, for GasUsed.
	Paymaster common.Address `json:"paymaster,omitzero"`
	Cost      uint256.Int    `json:"-"`
	GasUsed   uint256.Int    `json:"-"`
	// RevertData is what a reverted call returned, and Reason a bundler's words for it, up to [MaxRevertData]
	// bytes of each.
	RevertData hexutil.Bytes `json:"revertData,omitempty"`
	Reason     string        `json:"reason,omitempty"`

	// By is the userOpHash of the operation that used the nonce of one that ended, in Transaction; zero where
	// its time was over.
	By common.Hash `json:"by,omitzero"`
	// Until is the last second in which one could have been included, and BlockTime that of a later block at
	// which the nonce was unused; zero where it was used by another one.
	Until     uint64 `json:"until,omitempty"`
	BlockTime uint64 `json:"blockTime,omitempty"`
}

// MaxRevertData bounds what is kept of a revert.
const MaxRevertData = 16 << 10

// Included returns the outcome of an operation that was included. A receipt that the node did not confirm is an
// error matching [ErrInvalid]: it is a bundler's word, and an outcome stays.
func Included(receipt *userop.Receipt) (Outcome, error) {
	if !receipt.Confirmed {
		return Outcome{}, fmt.Errorf("%w: the receipt of %s is the bundler's word alone", ErrInvalid, receipt.UserOpHash)
	}
	o := Outcome{
		State:       StateLanded,
		Hash:        receipt.UserOpHash,
		Transaction: receipt.TransactionHash,
		BlockHash:   receipt.BlockHash,
		BlockNumber: receipt.BlockNumber,
		Paymaster:   receipt.Paymaster,
		Cost:        receipt.ActualGasCost,
		GasUsed:     receipt.ActualGasUsed,
	}
	if !receipt.Success {
		o.State = StateReverted
		o.RevertData = bytes.Clone(receipt.RevertData[:min(len(receipt.RevertData), MaxRevertData)])
		reason := strings.ToValidUTF8(receipt.Reason, "�")
		o.Reason = strings.ToValidUTF8(reason[:min(len(reason), MaxRevertData)], "")
	}
	return o, nil
}

// Ended returns the outcome of an entry none of whose operations was included, by the error of one of them.
func Ended(err *userop.EndedError) Outcome {
	return Outcome{State: StateEnded, By: err.By, Transaction: err.Transaction, Until: err.Until, BlockTime: err.BlockTime}
}

// Receipt returns the receipt of the operation that was included, nil where none was. It has no logs.
func (e *Entry) Receipt() *userop.Receipt {
	if !e.State.Included() {
		return nil
	}
	return &userop.Receipt{
		UserOpHash:      e.Outcome.Hash,
		EntryPoint:      e.EntryPoint,
		Sender:          e.Account,
		Nonce:           e.Nonce,
		Paymaster:       e.Outcome.Paymaster,
		ActualGasCost:   e.Outcome.Cost,
		ActualGasUsed:   e.Outcome.GasUsed,
		Success:         e.State == StateLanded,
		Reason:          e.Outcome.Reason,
		RevertData:      bytes.Clone(e.Outcome.RevertData),
		Confirmed:       true,
		TransactionHash: e.Outcome.Transaction,
		BlockHash:       e.Outcome.BlockHash,
		BlockNumber:     e.Outcome.BlockNumber,
	}
}

// Ended returns why none of the operations was included, of the newest one; nil in another state.
func (e *Entry) Ended() *userop.EndedError {
	if e.State != StateEnded {
		return nil
	}
	return &userop.EndedError{
		Hash:        e.Latest().Hash,
		Sender:      e.Account,
		Nonce:       e.Nonce,
		By:          e.Outcome.By,
		Transaction: e.Outcome.Transaction,
		Until:       e.Outcome.Until,
		BlockTime:   e.Outcome.BlockTime,
	}
}

// same reports whether two outcomes say the same, wherever a chain that changed its mind about blocks put it.
func (o *Outcome) same(other *Outcome) bool {
	return o.State == other.State && o.Hash == other.Hash && o.By == other.By
}
