package contracts

import (
	"fmt"
	"math/big"

	"github.com/go-sesame/sesame/abi"
)

// maxReverts bounds reverts within reverts.
const maxReverts = 4

// Errors of the EntryPoint that have a text or another revert in them.
const (
	sigFailedOp           = "FailedOp(uint256,string)"
	sigFailedOpWithRevert = "FailedOpWithRevert(uint256,string,bytes)"
	sigExecutionResult    = "ExecutionResult(uint256,uint256,uint48,uint48,bool,bytes)"
)

// DecodeRevert reads revert data: Solidity's errors, and those of [Errors]. Of FailedOp and
// FailedOpWithRevert it knows the reason, of the latter and of ExecutionResult the revert within. Errors that
// the caller knows beside, such as those of the contract that was called, come first where selectors are
// equal.
func DecodeRevert(data []byte, others ...*abi.ErrorDef) abi.Revert {
	known := knownErrors()
	if len(others) > 0 {
		known = append(others[:len(others):len(others)], known...)
	}
	return decodeRevert(data, known, maxReverts)
}

func decodeRevert(data []byte, known []*abi.ErrorDef, depth int) abi.Revert {
	r := abi.DecodeRevert(data, known...)
	var inner []byte
	within := false
	switch r.Signature {
	case sigFailedOp:
		r.Title, r.Message = failedOp(&r)
	case sigFailedOpWithRevert:
		r.Title, r.Message = failedOp(&r)
		inner, within = r.Args[2].([]byte), true
	case sigExecutionResult:
		inner, within = r.Args[5].([]byte), r.Args[4] == false
	}
	if within && depth > 1 {
		decoded := decodeRevert(inner, known, depth-1)
		r.Inner = &decoded
	}
	return r
}

func failedOp(r *abi.Revert) (title, message string) {
	return fmt.Sprintf("FailedOp %s", r.Args[0].(*big.Int)), r.Args[1].(string)
}
