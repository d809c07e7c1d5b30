package policy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/core/vm/runtime"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/session/policy"
)

// contractVM runs the session validation modules of the test chain in an EVM without a chain around it.
type contractVM struct {
	modules policy.Modules
	evm     *vm.EVM
	// key signs all operations, so that only a policy can be what fails.
	key common.Address
	// hash is the hash of all operations, signature the key's for it.
	hash      common.Hash
	signature []byte
}

// verdict is what a module makes of a call: it passes, or reverts with a reason that may be empty.
type verdict struct {
	pass   bool
	reason string
}

func (v verdict) String() string {
	switch {
	case v.pass:
		return "pass"
	case v.reason == "":
		return "revert without a reason"
	}
	return v.reason
}

func newContractVM(t accounttest.TB) *contractVM {
	chain := accounttest.NewChain(t, accounttest.ChainConfig{})
	db, err := state.New(types.EmptyRootHash, state.NewDatabaseForTesting())
	if err != nil {
		t.Fatalf("%v", err)
	}
	c := &contractVM{
		modules: policy.Modules{ABI: chain.Contracts.ABISessionModule, ERC20: chain.Contracts.ERC20SessionModule}.WithDefaults(),
		hash:    common.Hash{1},
	}
	for _, module := range []common.Address{c.modules.ABI, c.modules.ERC20} {
		code, err := chain.Client().CodeAt(context.Background(), module, nil)
		if err != nil || len(code) == 0 {
			t.Fatalf("code of %s: %d bytes, %v", module, len(code), err)
		}
		db.SetCode(module, code, tracing.CodeChangeUnspecified)
	}
	config := &runtime.Config{State: db}
	if _, _, err := runtime.Call(common.Address{}, nil, config); err != nil { // fills config with defaults
		t.Fatalf("%v", err)
	}
	c.evm = runtime.NewEnv(config)
	if err := c.sign(); err != nil {
		t.Fatalf("%v", err)
	}
	return c
}

func (c *contractVM) sign() error {
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte("session key")))
	if err != nil {
		return err
	}
	digest := crypto.Keccak256([]byte("\x19Ethereum Signed Message:\n32"), c.hash[:])
	if c.signature, err = crypto.Sign(digest, key); err != nil {
		return err
	}
	c.signature[64] += 27
	c.key = crypto.PubkeyToAddress(key.PublicKey)
	return nil
}

// validateCall runs validateSessionParams, as the batched session router does.
func (c *contractVM) validateCall(leaf *policy.Compiled, call abi.Call) verdict {
	input := crypto.Keccak256([]byte("validateSessionParams(address,uint256,bytes,bytes,bytes)"))[:4]
	input = abiword.AppendAddress(input, call.To)
	input = abiword.AppendUint256(input, &call.Value)
	input = appendTails(input, 5, call.Data, leaf.Data, nil)
	return c.run(leaf.Module, input)
}

// validateOperation runs validateSessionUserOp, as the session key manager does.
func (c *contractVM) validateOperation(leaf *policy.Compiled, callData []byte) verdict {
	const words = 11                                    // of the operation's head
	op := abiword.AppendAddress(nil, common.Address{2}) // sender
	op = abiword.AppendUint64(op, 3)                    // nonce
	offset := uint64(words * abi.WordSize)
	op = abiword.AppendUint64(op, offset) // initCode
	offset += abi.WordSize
	op = abiword.AppendUint64(op, offset) // callData
	offset += uint64(abiword.BytesSize(len(callData)))
	for gas := range uint64(5) {
		op = abiword.AppendUint64(op, gas)
	}
	op = abiword.AppendUint64(op, offset)               // paymasterAndData
	op = abiword.AppendUint64(op, offset+abi.WordSize)  // signature
	op = abiword.AppendBytes(op, nil)                   // initCode
	op = abiword.AppendBytes(op, callData)              // callData
	op = abiword.AppendBytes(op, nil)                   // paymasterAndData
	op = abiword.AppendBytes(op, []byte("a signature")) // signature

	input := crypto.Keccak256([]byte("validateSessionUserOp((address,uint256,bytes,bytes,uint256,uint256,uint256,uint256,uint256,bytes,bytes),bytes32,bytes,bytes)"))[:4]
	input = abiword.AppendUint64(input, 4*abi.WordSize)
	input = abiword.AppendWord(input, c.hash)
	dataAt := 4*abi.WordSize + len(op)
	input = abiword.AppendUint64(input, uint64(dataAt))
	input = abiword.AppendUint64(input, uint64(dataAt+abiword.BytesSize(len(leaf.Data))))
	input = append(input, op...)
	input = abiword.AppendBytes(input, leaf.Data)
	input = abiword.AppendBytes(input, c.signature)
	return c.run(leaf.Module, input)
}

// run calls a module. Returning false, for a signature that does not fit the key in the data, is a pass like
// any other return: the policy let the call through.
func (c *contractVM) run(module common.Address, input []byte) verdict {
	const gas = 30_000_000
	output, _, err := c.evm.Call(common.Address{}, module, input, vm.NewGasBudget(gas, 0), new(uint256.Int))
	switch {
	case err == nil:
		return verdict{pass: true}
	case !errors.Is(err, vm.ErrExecutionReverted):
		panic(fmt.Sprintf("module %s: %v", module, err))
	}
	return verdict{reason: revertReason(output)}
}

// revertReason returns the text of Error(string), nothing for other data.
func revertReason(output []byte) string {
	if len(output) < 4+2*abi.WordSize || string(output[:4]) != "\x08\xc3\x79\xa0" {
		return ""
	}
	return strings.TrimRight(string(output[4+2*abi.WordSize:]), "\x00")
}

// appendTails appends the heads of bytes arguments after those already there, and their tails. words is how
// many words all heads take.
func appendTails(input []byte, words int, tails ...[]byte) []byte {
	offset := uint64(words * abi.WordSize)
	for _, tail := range tails {
		input = abiword.AppendUint64(input, offset)
		offset += uint64(abiword.BytesSize(len(tail)))
	}
	for _, tail := range tails {
		input = abiword.AppendBytes(input, tail)
	}
	return input
}

// executeData is the callData of an operation with one call, by the name of the account's function.
func executeData(function string, to common.Address, value common.Hash, data []byte) []byte {
	callData := crypto.Keccak256([]byte(function + "(address,uint256,bytes)"))[:4]
	callData = abiword.AppendAddress(callData, to)
	callData = abiword.AppendWord(callData, value)
	return appendTails(callData, 3, data)
}

// permissionData is the ABI module's sessionKeyData.
func permissionData(key, contract common.Address, selector []byte, limit common.Hash, rules []policy.Rule) []byte {
	data := append(key.Bytes(), contract[:]...)
	data = append(data, selector...)
	data = append(data, limit[16:]...)
	data = append(data, byte(len(rules)>>8), byte(len(rules)))
	for _, rule := range rules {
		data = append(data, byte(rule.Offset>>8), byte(rule.Offset), byte(rule.Condition))
		data = append(data, rule.Word[:]...)
	}
	return data
}
