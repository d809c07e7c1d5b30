package account_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

var magic = bytes.Repeat([]byte{0x64, 0x92}, 16)

// order is typed data that names the account it is for.
func order(user common.Address) apitypes.TypedData {
	return apitypes.TypedData{
		Types: apitypes.Types{
			"EIP712Domain": {{Name: "name", Type: "string"}, {Name: "chainId", Type: "uint256"}},
			"Order":        {{Name: "user", Type: "address"}, {Name: "amount", Type: "uint256"}},
		},
		PrimaryType: "Order",
		Domain:      apitypes.TypedDataDomain{Name: "Shop", ChainId: math.NewHexOrDecimal256(80002)},
		Message:     apitypes.TypedDataMessage{"user": user.Hex(), "amount": "42"},
	}
}

func TestMessagesOfADeployedAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, opts := range map[string][]account.OwnedOption{"ECDSA": nil, "multichain": {account.Multichain()}} {
		t.Run(name, func(t *testing.T) {
			owner := w.client.OwnedAccount(w.owner.Owner(), opts...)
			done(t)(owner.Deploy(t.Context(), account.Sponsored()))
			user := w.client.Account(owner.Address())

			signature, err := owner.SignMessage(t.Context(), []byte("hello"))
			require.NoError(t, err)
			require.False(t, bytes.HasSuffix(signature, magic))
			require.NoError(t, user.VerifyMessage(t.Context(), []byte("hello"), signature))
			require.NoError(t, user.VerifyHash(t.Context(), account.MessageHash([]byte("hello")), signature))
			err = user.VerifyMessage(t.Context(), []byte("hullo"), signature)
			require.ErrorIs(t, err, account.ErrBadSignature)
			require.EqualError(t, err, "signature of account "+user.Address().Hex()+": signature is not valid: isValidSignature says no")

			data := order(user.Address())
			signature, err = owner.SignTypedData(t.Context(), data)
			require.NoError(t, err)
			require.NoError(t, user.VerifyTypedData(t.Context(), data, signature))
			require.ErrorIs(t, user.VerifyTypedData(t.Context(), order(stranger), signature), account.ErrBadSignature)

			// As a wallet signs typed data: the hash itself, not a message about it.
			hash, err := account.TypedDataHash(data)
			require.NoError(t, err)
			raw, err := crypto.Sign(hash[:], w.ownerKey)
			require.NoError(t, err)
			raw[64] += 27
			require.NoError(t, user.VerifyTypedData(t.Context(), data, contracts.WrapSignature(raw, owner.Module().Address)))
		})
	}
}

func TestMessagesOfAnAccountWithoutCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, chain := w.counted(t)
	user := client.Account(w.owner.Address())
	message, data := []byte("hello"), order(w.owner.Address())
	signature, err := w.owner.SignMessage(t.Context(), message)
	require.NoError(t, err)
	require.True(t, bytes.HasSuffix(signature, magic))
	require.NoError(t, user.VerifyMessage(t.Context(), message, signature))
	require.Equal(t, int32(1), chain.calls.Load()+chain.codes.Load(), "one request")
	require.ErrorIs(t, user.VerifyMessage(t.Context(), []byte("hullo"), signature), account.ErrBadSignature)
	typed, err := w.owner.SignTypedData(t.Context(), data)
	require.NoError(t, err)
	require.NoError(t, user.VerifyTypedData(t.Context(), data, typed))
	deployed, err := user.Deployed(t.Context())
	require.NoError(t, err)
	require.False(t, deployed, "the deployment was simulated only")

	// Signed through the module that the account will have first, whatever is active later.
	acting := w.client.OwnedAccount(w.owner.Owner(), account.ActiveModule(w.client.MultichainModule(w.owner.Owner())))
	early, err := acting.SignMessage(t.Context(), message)
	require.NoError(t, err)
	require.Equal(t, signature, early)

	// The same signature still holds once the account is there.
	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	require.NoError(t, user.VerifyMessage(t.Context(), message, signature))
}

func TestCounterfactualMessageVectorsAreValid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range accountVectors(t) {
		message := []byte(c.CounterfactualMessage.Message)
		require.NoError(t, w.client.Account(c.Address).VerifyMessage(t.Context(), message, c.CounterfactualMessage.Signature))
		require.ErrorIs(t, w.client.Account(w.owner.Address()).VerifyMessage(t.Context(), message, c.CounterfactualMessage.Signature), account.ErrBadSignature)
	}
}

// wrap6492 is abi.encode(address, bytes, bytes) ‖ magic, packed by another encoder than the one under test.
func wrap6492(t *testing.T, factory common.Address, deploy, signature []byte) []byte {
	t.Helper()
	return append(pack(t, "f(address,bytes,bytes)", factory, deploy, signature)[abi.SelectorSize:], magic...)
}

func TestSignaturesThatDoNotHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	message := []byte("hello")
	wrapped, err := w.owner.SignMessage(t.Context(), message)
	require.NoError(t, err)
	init := w.owner.InitCode()
	factory, deploy := common.BytesToAddress(init[:20]), init[20:]
	thief, err := w.client.OwnedAccount(newOwner(t)).SignMessage(t.Context(), message)
	require.NoError(t, err)
	key, err := crypto.Sign(accounts.TextHash(message), w.ownerKey)
	require.NoError(t, err)
	key[64] += 27
	plain := contracts.WrapSignature(key, w.owner.Module().Address)

	tests := []struct {
		name      string
		signature []byte
		want      string
		is        error
	}{
		{"of another account", thief, "signature is not valid: its factory 0x000000a56Aaca3e9a4C479ea6b6CD0DbcB6634F5 deploys another account", account.ErrBadSignature},
		{"not wrapped", plain, "account is not deployed: " + w.owner.Address().Hex() + " on chain 80002; its owner deploys it with a first operation, a session cannot; before that, its signatures are in the form of ERC-6492", account.ErrNotDeployed},
		{"nothing", nil, "account is not deployed", account.ErrNotDeployed},
		{"magic alone", magic, "signature is not valid: it ends as ERC-6492 has it, but does not decode", account.ErrBadSignature},
		{"cut", append(wrapped[:64:64], magic...), "does not decode", account.ErrBadSignature},
		{"factory without code", wrap6492(t, stranger, deploy, plain), "its factory 0x00000000000000000000000000000000DeaDBeef deploys another account", account.ErrBadSignature},
		{"factory reverts", wrap6492(t, factory, []byte{1, 2, 3, 4}, plain), "does not deploy an account: no reason", account.ErrBadSignature},
		{"signature of another", wrap6492(t, factory, deploy, contracts.WrapSignature(append(bytes.Repeat([]byte{1}, 64), 27), w.owner.Module().Address)), "isValidSignature says no", account.ErrBadSignature},
		{"signature too short", wrap6492(t, factory, deploy, contracts.WrapSignature([]byte{1}, w.owner.Module().Address)), "isValidSignature reverted: WrongSignatureLength()", account.ErrBadSignature},
		{"module not enabled", wrap6492(t, factory, deploy, contracts.WrapSignature(key, stranger)), "isValidSignature reverted: WrongValidationModule(0x00000000000000000000000000000000DeaDBeef)", account.ErrBadSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := w.user.VerifyMessage(t.Context(), message, tt.signature)
			require.ErrorIs(t, err, tt.is)
			require.ErrorContains(t, err, "signature of account "+w.owner.Address().Hex()+": ")
			require.ErrorContains(t, err, tt.want)
		})
	}

	for _, tooLong := range [][]byte{make([]byte, 60_000), wrap6492(t, factory, deploy, make([]byte, 30_000)), wrap6492(t, factory, make([]byte, 60_000), plain)} {
		err := w.user.VerifyMessage(t.Context(), message, tooLong)
		require.ErrorIs(t, err, account.ErrBadSignature)
		require.EqualError(t, err, fmt.Sprintf("signature of account %s: signature is not valid: %d bytes are more than one request can check", w.owner.Address(), len(tooLong)))
	}

	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	for _, signature := range [][]byte{nil, {1, 2, 3}, plain[:len(plain)-64]} {
		require.ErrorIs(t, w.user.VerifyMessage(t.Context(), message, signature), account.ErrBadSignature)
	}
	require.ErrorIs(t, offlineClient(t).Account(stranger).VerifyMessage(t.Context(), message, plain), errOffline)
}

func TestMessagesThatCannotBeSigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.client.OwnedAccount(w.owner.Owner(), account.AtAddress(stranger)).SignMessage(t.Context(), nil)
	require.ErrorIs(t, err, account.ErrNotDeployed)
	bad := order(stranger)
	bad.PrimaryType = "Nothing"
	_, err = w.owner.SignTypedData(t.Context(), bad)
	require.ErrorIs(t, err, policy.ErrInvalid)
	require.ErrorContains(t, err, "invalid input: typed data: ")
	require.ErrorIs(t, w.user.VerifyTypedData(t.Context(), bad, nil), policy.ErrInvalid)
	_, err = w.client.OwnedAccount(forger{w.owner.Owner()}).SignMessage(t.Context(), nil)
	require.ErrorIs(t, err, account.ErrWrongOwner)

	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	thief := w.client.OwnedAccount(newOwner(t), account.AtAddress(w.owner.Address()))
	_, err = thief.SignMessage(t.Context(), nil)
	require.ErrorIs(t, err, account.ErrWrongOwner)
	require.ErrorContains(t, err, "sign message as account "+w.owner.Address().Hex()+": wrong owner: ")
	acting := w.client.OwnedAccount(w.owner.Owner(), account.ActiveModule(w.client.MultichainModule(w.owner.Owner())))
	_, err = acting.SignTypedData(t.Context(), order(stranger))
	require.ErrorIs(t, err, account.ErrModuleNotEnabled)
	require.ErrorContains(t, err, "sign typed data as account "+w.owner.Address().Hex()+": module is not enabled: ")

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = w.owner.SignMessage(ended, nil)
	require.ErrorIs(t, err, context.Canceled)
}

// countedOwner counts what it signs.
type countedOwner struct {
	account.Owner
	signed int
}

func (o *countedOwner) SignMessage(ctx context.Context, message []byte) ([]byte, error) {
	o.signed++
	return o.Owner.SignMessage(ctx, message)
}

// theft is an operation, not signed yet, that pays itself and sends a stranger 4 ether.
func (w *world) theft(t *testing.T, from *account.OwnedAccount) *userop.Operation {
	t.Helper()
	nonce, err := from.Nonce(t.Context(), nil)
	require.NoError(t, err)
	return &userop.Operation{
		Sender: from.Address(), Nonce: nonce, CallData: contracts.Execute(stranger, *uint256.NewInt(4e18), nil),
		CallGasLimit: *uint256.NewInt(100_000), VerificationGasLimit: *uint256.NewInt(400_000),
		MaxFeePerGas: *uint256.NewInt(10e9), MaxPriorityFeePerGas: *uint256.NewInt(10e9),
	}
}

// A "login challenge" of 32 bytes is an operation of whoever made it up.
func TestAChallengeThatIsAnOperationIsNotSigned(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		opts      []account.OwnedOption
		challenge func(opHash common.Hash) common.Hash
		// signature makes the operation's of the challenge's, both without their wrapping.
		signature func(challenge common.Hash, signed []byte) []byte
	}{
		{name: "ECDSA"},
		{name: "multichain", opts: []account.OwnedOption{account.Multichain()}},
		{
			"root of a multichain tree", []account.OwnedOption{account.Multichain()},
			func(hash common.Hash) common.Hash { return contracts.MultichainLeaf(0, 0, hash) },
			func(root common.Hash, signed []byte) []byte {
				return contracts.MultichainSignature(0, 0, root, nil, signed)
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			key := &countedOwner{Owner: w.owner.Owner()}
			owner := w.client.OwnedAccount(key, tt.opts...)
			done(t)(owner.Deploy(t.Context(), account.Sponsored()))
			require.NoError(t, w.chain.Fund(t.Context(), owner.Address(), big.NewInt(5e18)))
			op := w.theft(t, owner)
			challenge := op.Hash(w.client.Contracts().EntryPoint, w.client.ChainID())
			if tt.challenge != nil {
				challenge = tt.challenge(challenge)
			}

			key.signed = 0
			_, err := owner.SignMessage(t.Context(), challenge[:])
			require.ErrorIs(t, err, account.ErrPossibleOperation)
			require.EqualError(t, err, "sign message as account "+owner.Address().Hex()+": message may be a user operation: its 32 bytes are signed as the hash of an operation is, or of several, "+
				"and whoever chose them may then send it; prefix the message with what it is for, sign typed data, or risk it with SignPossibleOperation")
			signer, ok := owner.Module().Signer.(account.MessageSigner)
			require.True(t, ok)
			_, err = signer.SignMessage(t.Context(), challenge[:])
			require.ErrorIs(t, err, account.ErrPossibleOperation)
			require.Zero(t, key.signed)
			for _, message := range [][]byte{nil, challenge[:31], append(challenge[:], 0), []byte(challenge.Hex())} {
				signature, err := owner.SignMessage(t.Context(), message)
				require.NoError(t, err, "a message of %d bytes is none", len(message))
				require.NoError(t, owner.VerifyMessage(t.Context(), message, signature))
			}

			// Asked for by its name, it is what it was feared to be.
			signature, err := owner.SignPossibleOperation(t.Context(), challenge)
			require.NoError(t, err)
			require.NoError(t, owner.VerifyMessage(t.Context(), challenge[:], signature))
			op.Signature = signature
			if tt.signature != nil {
				const head = 3 * abi.WordSize // of (bytes, address)
				op.Signature = contracts.WrapSignature(tt.signature(challenge, signature[head:head+65]), owner.Module().Address)
			}
			require.NoError(t, w.bundle(t, op))
			require.False(t, w.holds(t, stranger).Lt(uint256.NewInt(4e18)), "and has the fees, too")
		})
	}
}

func TestAChallengeIsRefusedBeforeAnythingIsAsked(t *testing.T) {
	owned := offlineClient(t).OwnedAccount(account.KeyOwner(exampleKey))
	_, err := owned.SignMessage(t.Context(), make([]byte, 32))
	require.ErrorIs(t, err, account.ErrPossibleOperation)
	_, err = owned.SignPossibleOperation(t.Context(), common.Hash{})
	require.ErrorIs(t, err, errOffline)
	require.ErrorContains(t, err, "sign 32 bytes as account "+owned.Address().Hex()+": ")
}

// A decorator around an owner's signer keeps what it can do, and what it refuses.
func TestADecoratedModuleSignsTypedDataAndNoChallenge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	module := w.client.ECDSAModule(w.owner.Owner())
	module.Signer = struct{ account.MessageSigner }{module.Signer.(account.MessageSigner)}
	owner := w.client.OwnedAccount(nil, account.DefaultModule(module))
	data := order(owner.Address())
	signature, err := owner.SignTypedData(t.Context(), data)
	require.NoError(t, err)
	require.NoError(t, owner.VerifyTypedData(t.Context(), data, signature))
	_, err = owner.SignMessage(t.Context(), make([]byte, 32))
	require.ErrorIs(t, err, account.ErrPossibleOperation)
}

func ExampleOwnedAccount_SignMessage() {
	w := exampleWorld()
	signature, err := w.owner.SignMessage(w.ctx, []byte("hello"))
	if err != nil {
		fmt.Println(err)
		return
	}
	user := w.client.Account(w.owner.Address()) // anyone who knows the address
	fmt.Println("hello:", user.VerifyMessage(w.ctx, []byte("hello"), signature))
	err = user.VerifyMessage(w.ctx, []byte("hullo"), signature)
	fmt.Println("hullo:", errors.Is(err, account.ErrBadSignature))
	// Output:
	// hello: <nil>
	// hullo: true
}

func ExampleOwnedAccount_SignTypedData() {
	w := exampleWorld()
	data := apitypes.TypedData{
		Types: apitypes.Types{
			"EIP712Domain": {{Name: "name", Type: "string"}},
			"Login":        {{Name: "account", Type: "address"}},
		},
		PrimaryType: "Login",
		Domain:      apitypes.TypedDataDomain{Name: "Shop"},
		Message:     apitypes.TypedDataMessage{"account": w.owner.Address().Hex()},
	}
	signature, err := w.owner.SignTypedData(w.ctx, data)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(w.client.Account(w.owner.Address()).VerifyTypedData(w.ctx, data, signature))
	// Output:
	// <nil>
}

func FuzzVerifyMessage(f *testing.F) {
	user := clientOf(f, emptyAnswers{}).Account(stranger)
	f.Add([]byte{})
	f.Add(magic)
	f.Add(hexutil.MustDecode("0x" + "00000000000000000000000000000000000000000000000000000000000000206492649264926492649264926492649264926492649264926492649264926492"))
	f.Fuzz(func(t *testing.T, signature []byte) {
		require.Error(t, user.VerifyMessage(t.Context(), nil, signature))
		require.Error(t, user.VerifyMessage(t.Context(), nil, append(signature, magic...)))
	})
}
