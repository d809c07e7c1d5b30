package model

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
)

// Reverted is a call that reverted. It is told as a node tells it.
type Reverted struct{ Data []byte }

// Error says why, as far as there is a reason.
func (e *Reverted) Error() string {
	if len(e.Data) == 0 {
		return "execution reverted"
	}
	return "execution reverted: " + contracts.DecodeRevert(e.Data).String()
}

// ErrorCode is that of a node's answer.
func (e *Reverted) ErrorCode() int { return 3 }

// ErrorData is the revert data in hex.
func (e *Reverted) ErrorData() any { return hexutil.Encode(e.Data) }

// bare is a revert without data.
func bare() error { return new(Reverted) }

// reason is a revert with a text: Error(string).
func reason(format string, args ...any) error {
	return &Reverted{packReason(fmt.Sprintf(format, args...))}
}

func packReason(text string) []byte {
	data := []byte{0x08, 0xc3, 0x79, 0xa0}
	return abiword.AppendBytes(abiword.AppendUint64(data, abi.WordSize), []byte(text))
}

// custom is a revert with a custom error, whose arguments are words.
func custom(signature string, args ...common.Hash) error {
	return &Reverted{pack(signature, args...)}
}

// panicked is a revert of Solidity's own checks.
func panicked(code uint64) error {
	return custom("Panic(uint256)", common.BigToHash(newBig(code)))
}

// pack encodes a call or an error whose arguments are words.
func pack(signature string, args ...common.Hash) []byte {
	selector := selectorOf(signature)
	data := append(make([]byte, 0, abi.SelectorSize+len(args)*abi.WordSize), selector[:]...)
	for _, arg := range args {
		data = append(data, arg[:]...)
	}
	return data
}

func selectorOf(signature string) [abi.SelectorSize]byte {
	return [abi.SelectorSize]byte(crypto.Keccak256([]byte(signature)))
}

// failedOp is the EntryPoint's refusal of an operation.
func failedOp(index int, format string, args ...any) error {
	data := pack("FailedOp(uint256,string)", common.BigToHash(newBig(uint64(index))), common.BigToHash(newBig(2*abi.WordSize)))
	return &Reverted{abiword.AppendBytes(data, []byte(fmt.Sprintf(format, args...)))}
}

// Unknown is a call that the model does not know. It is none of a contract's errors: what the contract would
// do is not told.
type Unknown struct {
	To   common.Address
	Data []byte
	// Contract names who was called, empty for an account.
	Contract string
}

// Error names the function and says what knows it.
func (e *Unknown) Error() string {
	return fmt.Sprintf("the model does not know %s of %s at %s: it runs no EVM, and knows of the contracts what an account needs; accounttest.NewChain has the real ones",
		functionName(e.Data), e.Contract, e.To)
}

// functionName is how a call is named: by its signature where one of our tables has it, else by its selector.
func functionName(data []byte) string {
	for _, c := range []*contracts.Contract{
		contracts.SmartAccount(), contracts.EntryPoint(), contracts.AccountFactory(), contracts.OwnershipModule(),
		contracts.SessionKeyManager(), contracts.ERC20(), contracts.ERC721(), contracts.VerifyingPaymaster(), contracts.AccountResolver(),
	} {
		if f, ok := c.Called(data); ok {
			return f.Signature()
		}
	}
	return fmt.Sprintf("function 0x%x", data[:abi.SelectorSize])
}

// revertData is what an operation's call reverted with; a call that the model does not know reverts with
// that.
func revertData(err error) []byte {
	if reverted, ok := errors.AsType[*Reverted](err); ok {
		return reverted.Data
	}
	return packReason(err.Error())
}

// revertText is the text of a revert that has one and nothing else: Error(string).
func revertText(err error) (string, bool) {
	selector := selectorOf("Error(string)")
	body, ok := bytes.CutPrefix(revertData(err), selector[:])
	in := &input{data: body}
	text := in.bytes(0)
	return string(text), ok && !in.bad
}

// Blamed is which operation of a bundle the EntryPoint's revert is about: the first where it does not say.
func Blamed(err error) int {
	body, ok := bytes.CutPrefix(revertData(err), failedOpSelector())
	in := &input{data: body}
	index := in.number(0)
	if !ok || in.bad || !index.IsUint64() {
		return 0
	}
	return int(index.Uint64())
}

func failedOpSelector() []byte {
	selector := selectorOf("FailedOp(uint256,string)")
	return selector[:]
}
