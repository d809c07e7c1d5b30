package contracts

import (
	"strings"
	"testing"

	gethabi "github.com/ethereum/go-ethereum/accounts/abi"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
)

// Every builder makes what the generic encoder makes of the contract's signature, which agrees with
// go-ethereum's.
func TestBuildersAgreeWithSignatures(t *testing.T) {
	r := newRand()
	address := func() common.Address { return common.Address(randomBytes(r, 20)) }
	number := func() uint256.Int { return *new(uint256.Int).SetBytes(randomBytes(r, r.IntN(33))) }
	for _, n := range []int{0, 1, 31, 32, 33, 100} {
		a, b, value, data, hash := address(), address(), number(), randomBytes(r, n), common.Hash(randomBytes(r, 32))
		key := *new(uint256.Int).SetBytes(randomBytes(r, 24))
		var calls []abi.Call
		var to, values, datas []any
		var ops []UserOperation
		for i := range n % 5 {
			calls = append(calls, abi.Call{To: address(), Value: number(), Data: randomBytes(r, n+i)})
			to, values, datas = append(to, calls[i].To), append(values, calls[i].Value), append(datas, calls[i].Data)
			ops = append(ops, UserOperation{address(), number(), randomBytes(r, n), randomBytes(r, i), number(), number(), number(), number(), number(), randomBytes(r, 32), randomBytes(r, 3*n)})
		}
		op := UserOperation{Sender: a, Nonce: value, CallData: data, Signature: hash[:]}
		for _, test := range []struct {
			got      []byte
			contract *Contract
			function string
			args     []any
		}{
			{Execute(a, value, data), SmartAccount(), "execute_ncC", []any{a, value, data}},
			{ExecuteBatch(calls), SmartAccount(), "executeBatch_y6U", []any{to, values, datas}},
			{Init(a, b, data), SmartAccount(), "init", []any{a, b, data}},
			{EnableModule(a), SmartAccount(), "enableModule", []any{a}},
			{SetupAndEnableModule(a, data), SmartAccount(), "setupAndEnableModule", []any{a, data}},
			{DisableModule(a, b), SmartAccount(), "disableModule", []any{a, b}},
			{IsModuleEnabled(a), SmartAccount(), "isModuleEnabled", []any{a}},
			{GetModulesPaginated(a, 7), SmartAccount(), "getModulesPaginated", []any{a, 7}},
			{IsValidSignature(hash, data), SmartAccount(), "isValidSignature", []any{hash, data}},
			{DeployCounterFactualAccount(a, data, value), AccountFactory(), "deployCounterFactualAccount", []any{a, data, value}},
			{AccountCreationCode(), AccountFactory(), "accountCreationCode", nil},
			{BasicImplementation(), AccountFactory(), "basicImplementation", nil},
			{MinimalHandler(), AccountFactory(), "minimalHandler", nil},
			{GetAddressForCounterFactualAccount(DeployCounterFactualAccount(a, data, value)), AccountFactory(), "getAddressForCounterFactualAccount", []any{a, data, value}},
			{ValidateUserOp(op, hash, &value), SmartAccount(), "validateUserOp", []any{op, hash, value}},
			{ValidatePaymasterUserOp(op, hash, &value), VerifyingPaymaster(), "validatePaymasterUserOp", []any{op, hash, value}},
			{InitForSmartAccount(a), OwnershipModule(), "initForSmartAccount", []any{a}},
			{TransferOwnership(a), OwnershipModule(), "transferOwnership", []any{a}},
			{GetOwner(a), OwnershipModule(), "getOwner", []any{a}},
			{SetMerkleRoot(hash), SessionKeyManager(), "setMerkleRoot", []any{hash}},
			{GetSessionKeys(a), SessionKeyManager(), "getSessionKeys", []any{a}},
			{HandleOps(ops, a), EntryPoint(), "handleOps", []any{ops, a}},
			{SimulateValidation(op), EntryPoint(), "simulateValidation", []any{op}},
			{SimulateHandleOp(op, a, data), EntryPoint(), "simulateHandleOp", []any{op, a, data}},
			{GetUserOpHash(op), EntryPoint(), "getUserOpHash", []any{op}},
			{GetNonce(a, key), EntryPoint(), "getNonce", []any{a, key}},
			{IncrementNonce(key), EntryPoint(), "incrementNonce", []any{key}},
			{DepositTo(a), EntryPoint(), "depositTo", []any{a}},
			{WithdrawTo(a, value), EntryPoint(), "withdrawTo", []any{a, value}},
			{DepositFor(a), VerifyingPaymaster(), "depositFor", []any{a}},
			{GetBalance(a), VerifyingPaymaster(), "getBalance", []any{a}},
			{BalanceOf(a), EntryPoint(), "balanceOf", []any{a}},
			{BalanceOf(a), ERC20(), "balanceOf", []any{a}},
			{BalanceOf(a), ERC721(), "balanceOf", []any{a}},
			{Transfer(a, value), ERC20(), "transfer", []any{a, value}},
			{Approve(a, value), ERC20(), "approve", []any{a, value}},
			{Allowance(a, b), ERC20(), "allowance", []any{a, b}},
			{Decimals(), ERC20(), "decimals", nil},
			{Symbol(), ERC20(), "symbol", nil},
			{GetL1Fee(data), GasPriceOracle(), "getL1Fee", []any{data}},
			{GetPricesInWei(), ArbGasInfo(), "getPricesInWei", nil},
			{ResolveAddressesFlexibleForV2(a, 9, b, data), AccountResolver(), "resolveAddressesFlexibleForV2", []any{a, 9, b, data}},
		} {
			f, err := test.contract.Function(test.function)
			require.NoError(t, err)
			want, err := f.Pack(test.args...)
			require.NoError(t, err)
			require.Equal(t, hexutil.Encode(want), hexutil.Encode(test.got), test.function)
			require.Equal(t, len(test.got), cap(test.got), "%s in one allocation", test.function)

			_, err = f.Unpack(test.got)
			require.NoError(t, err)
			arguments := gethArguments(t, f.Inputs())
			values, err := arguments.UnpackValues(test.got[abi.SelectorSize:])
			require.NoError(t, err)
			packed, err := arguments.Pack(values...)
			require.NoError(t, err)
			require.Equal(t, hexutil.Encode(packed), hexutil.Encode(test.got[abi.SelectorSize:]))
		}
	}
}

// gethArguments are the function's arguments as go-ethereum's encoder knows them.
func gethArguments(t *testing.T, list []abi.Param) gethabi.Arguments {
	args := make(gethabi.Arguments, len(list))
	for i, p := range gethComponents(list) {
		typ, err := gethabi.NewType(p.Type, "", p.Components)
		require.NoError(t, err)
		args[i] = gethabi.Argument{Name: p.Name, Type: typ}
	}
	return args
}

func gethComponents(list []abi.Param) []gethabi.ArgumentMarshaling {
	out := make([]gethabi.ArgumentMarshaling, len(list))
	for i, p := range list {
		out[i] = gethabi.ArgumentMarshaling{Name: p.Name, Type: p.Type, Components: gethComponents(p.Components)}
		if len(p.Components) > 0 {
			out[i].Type = "tuple" + p.Type[strings.LastIndex(p.Type, ")")+1:]
		}
	}
	return out
}

func selectorBytes(selector [abi.SelectorSize]byte) []byte { return selector[:] }

func TestSelectors(t *testing.T) {
	for signature, selector := range map[string]string{
		"execute_ncC(address,uint256,bytes)":              "0x0000189a",
		"executeBatch_y6U(address[],uint256[],bytes[])":   "0x00004680",
		"execute(address,uint256,bytes)":                  "0xb61d27f6",
		"executeBatch(address[],uint256[],bytes[])":       "0x47e1da2a",
		"isValidSignature(bytes32,bytes)":                 "0x1626ba7e",
		"safeTransferFrom(address,address,uint256,bytes)": "0xb88d4fde",
		"handleOps((address,uint256,bytes,bytes,uint256,uint256,uint256,uint256,uint256,bytes,bytes)[],address)": "0x1fad948c",
	} {
		f := abi.MustParseFunction(signature)
		require.Equal(t, selector, hexutil.Encode(selectorBytes(f.Selector())))
	}
	for signature, selector := range map[string]string{
		"FailedOp":                        "0x220266b6",
		"FailedOpWithRevert":              "0x65c8fd4d",
		"ValidationResult":                "0xe0cff05f",
		"ExecutionResult":                 "0x8b7ac980",
		"SenderAddressResult":             "0x6ca7b806",
		"SignatureValidationFailed":       "0x86a9f750",
		"ValidationResultWithAggregation": "0xfaecb4e4",
		"DelegateAndRevert":               "0x99410554",
	} {
		for _, def := range EntryPoint().Errors() {
			if def.Name() == signature {
				require.Equal(t, selector, hexutil.Encode(selectorBytes(def.Selector())), signature)
			}
		}
	}
}
