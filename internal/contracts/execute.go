package contracts

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/holiman/uint256"
)

// The short names are mined for cheap selectors; the account answers to the long ones as well.
var (
	selectorExecute          = newSelector(0x0000189a) // execute_ncC
	selectorExecuteBatch     = newSelector(0x00004680) // executeBatch_y6U
	selectorExecuteLong      = newSelector(0xb61d27f6)
	selectorExecuteBatchLong = newSelector(0x47e1da2a)
)

// Call is one call that the account makes.
type Call struct {
	To common.Address
	// Value is what the account sends along, in wei.
	Value uint256.Int
	Data  []byte
}

// String says the call in words: what is sent along, the function's selector and how many bytes follow it,
// and who is called.
func (c Call) String() string {
	what := fmt.Sprintf("0x%x", c.Data)
	if rest := len(c.Data) - abi.SelectorSize; rest >= 0 {
		what = fmt.Sprintf("0x%x with %d bytes", c.Data[:abi.SelectorSize], rest)
	}
	return fmt.Sprintf("%s wei and %s to %s", c.Value.Dec(), what, c.To)
}

// Execute returns the calldata with which the EntryPoint lets the account make one call:
// execute_ncC(address,uint256,bytes).
func Execute(to common.Address, value uint256.Int, data []byte) []byte {
	call := newCall(selectorExecute, 3*abiword.Size+abiword.BytesSize(len(data)))
	call = abiword.AppendAddress(call, to)
	call = abiword.AppendUint256(call, &value)
	call = abiword.AppendUint64(call, 3*abiword.Size)
	return abiword.AppendBytes(call, data)
}

// ExecuteBatch returns the calldata with which the EntryPoint lets the account make calls in order, all
// or none: executeBatch_y6U(address[],uint256[],bytes[]). The account refuses a batch of none.
func ExecuteBatch(calls []Call) []byte {
	list := abiword.HashesSize(len(calls)) // as large as any list of words
	tails := 0
	for _, c := range calls {
		tails += abiword.BytesSize(len(c.Data))
	}
	data := newCall(selectorExecuteBatch, 3*abiword.Size+3*list+tails)
	for i := range 3 {
		data = abiword.AppendUint64(data, uint64(3*abiword.Size+i*list))
	}
	data = abiword.AppendUint64(data, uint64(len(calls)))
	for _, c := range calls {
		data = abiword.AppendAddress(data, c.To)
	}
	data = abiword.AppendUint64(data, uint64(len(calls)))
	for i := range calls {
		data = abiword.AppendUint256(data, &calls[i].Value)
	}
	data = abiword.AppendUint64(data, uint64(len(calls)))
	offset := len(calls) * abiword.Size
	for _, c := range calls {
		data = abiword.AppendUint64(data, uint64(offset))
		offset += abiword.BytesSize(len(c.Data))
	}
	for _, c := range calls {
		data = abiword.AppendBytes(data, c.Data)
	}
	return data
}

// ErrNotExecute means that calldata calls none of the account's four execute functions.
var ErrNotExecute = errors.New("not a call of execute or executeBatch")

// IsExecute reports whether callData calls execute, by either name.
func IsExecute(callData []byte) bool {
	return bytes.HasPrefix(callData, selectorExecute[:]) || bytes.HasPrefix(callData, selectorExecuteLong[:])
}

// IsBatch reports whether callData calls executeBatch, by either name.
func IsBatch(callData []byte) bool {
	return bytes.HasPrefix(callData, selectorExecuteBatch[:]) || bytes.HasPrefix(callData, selectorExecuteBatchLong[:])
}

// DecodeExecute returns the calls in the account's calldata, whether it is for execute_ncC, executeBatch_y6U
// or one of their long names. It takes only what the standard encoder makes (see [abi.Function.Unpack]), so
// that what it returns is all that the calldata does. Other calldata is [ErrNotExecute]; a batch that the
// account would refuse, for being empty or for lists of different lengths, is an error as well.
func DecodeExecute(callData []byte) ([]Call, error) {
	single := IsExecute(callData)
	if !single && !IsBatch(callData) {
		return nil, fmt.Errorf("%s: %w", describeData(callData), ErrNotExecute)
	}
	args, err := smartAccount().functions[[abi.SelectorSize]byte(callData[:abi.SelectorSize])].Unpack(callData)
	if err != nil {
		return nil, err
	}
	if single {
		return []Call{{To: args[0].(common.Address), Value: toUint256(args[1]), Data: args[2].([]byte)}}, nil
	}
	return zipCalls(args[0].([]common.Address), args[1].([]*big.Int), args[2].([][]byte))
}

func zipCalls(to []common.Address, values []*big.Int, data [][]byte) ([]Call, error) {
	if len(to) == 0 {
		return nil, errors.New("executeBatch of no calls: the account refuses it")
	}
	if len(values) != len(to) || len(data) != len(to) {
		return nil, fmt.Errorf("executeBatch of %d addresses, %d values and %d data: the account refuses it", len(to), len(values), len(data))
	}
	calls := make([]Call, len(to))
	for i := range calls {
		calls[i] = Call{To: to[i], Value: toUint256(values[i]), Data: data[i]}
	}
	return calls, nil
}

// describeData says how much data there is, for messages.
func describeData(data []byte) string {
	if len(data) == 0 {
		return "empty data"
	}
	return fmt.Sprintf("data 0x%x… of %s", data[:min(len(data), abi.SelectorSize)], countBytes(len(data)))
}
