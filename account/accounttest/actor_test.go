package accounttest

import (
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/quantity"
	"github.com/go-sesame/sesame/userop"
)

// stage is a chain with its services and clients, for one test.
type stage struct {
	t         *testing.T
	chain     *Chain
	bundler   *Bundler
	paymaster *Paymaster
	toBundler *rpc.Client
	toPayer   *rpc.Client
}

func newStage(t *testing.T, vendor bundlertest.Vendor) *stage {
	chain := NewChain(t, ChainConfig{})
	return newStageOn(t, chain, NewBundler(t, BundlerConfig{Chain: chain, Vendor: vendor}))
}

func newStageOn(t *testing.T, chain *Chain, bundler *Bundler) *stage {
	s := &stage{t: t, chain: chain, bundler: bundler, paymaster: NewPaymaster(t, PaymasterConfig{Chain: chain})}
	s.toBundler = dial(t, s.bundler.URL())
	s.toPayer = dial(t, s.paymaster.URL())
	return s
}

func dial(t *testing.T, url string) *rpc.Client {
	client, err := rpc.DialContext(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// signFunc makes an operation's signature from its hash.
type signFunc func(hash common.Hash) []byte

// ownedBy signs as the owner of an account with the ECDSA ownership module.
func ownedBy(key *ecdsa.PrivateKey) signFunc {
	return func(hash common.Hash) []byte {
		return moduleSignature(WellKnownContracts().ECDSAModule, personalSign(key, hash))
	}
}

func personalSign(key *ecdsa.PrivateKey, hash common.Hash) []byte {
	sig, err := crypto.Sign(accounts.TextHash(hash[:]), key)
	if err != nil {
		panic(err)
	}
	sig[crypto.RecoveryIDOffset] += 27
	return sig
}

// moduleSignature is abi.encode(bytes moduleSignature, address module).
func moduleSignature(module common.Address, sig []byte) []byte {
	data := abiword.AppendUint64(nil, 2*abi.WordSize)
	data = abiword.AppendAddress(data, module)
	return abiword.AppendBytes(data, sig)
}

// owned is an account of a key, deployed or not.
type owned struct {
	key      *ecdsa.PrivateKey
	address  common.Address
	initCode []byte
}

func (s *stage) account(name string) owned {
	s.t.Helper()
	key := Key(name)
	setup := contracts.InitForSmartAccount(crypto.PubkeyToAddress(key.PublicKey))
	call, err := abi.Pack("function getAddressForCounterFactualAccount(address module, bytes data, uint256 index)",
		s.chain.Contracts.ECDSAModule, setup, 0)
	require.NoError(s.t, err)
	result, err := s.chain.Call(s.t.Context(), s.chain.Contracts.Factory, call)
	require.NoError(s.t, err)
	address, err := contracts.DecodeAddress(result)
	require.NoError(s.t, err)
	factory := s.chain.Contracts.Factory
	return owned{
		key:      key,
		address:  address,
		initCode: append(factory[:], contracts.DeployCounterFactualAccount(s.chain.Contracts.ECDSAModule, setup, uint256.Int{})...),
	}
}

// draft is an operation with nonce and fees, and without limits.
func (s *stage) draft(sender common.Address, key uint64, callData []byte) *userop.Operation {
	s.t.Helper()
	op := &userop.Operation{Sender: sender, CallData: callData}
	result, err := s.chain.Call(s.t.Context(), s.chain.Contracts.EntryPoint, contracts.GetNonce(sender, *uint256.NewInt(key)))
	require.NoError(s.t, err)
	op.Nonce, err = contracts.DecodeUint256(result)
	require.NoError(s.t, err)
	price, err := s.bundler.price(s.t.Context(), 100)
	require.NoError(s.t, err)
	op.MaxFeePerGas = *uint256.MustFromBig(price.MaxFeePerGas.ToInt())
	op.MaxPriorityFeePerGas = *uint256.MustFromBig(price.MaxPriorityFeePerGas.ToInt())
	return op
}

// sponsor lets the paymaster set limits and pay.
func (s *stage) sponsor(op *userop.Operation, sign signFunc) error {
	return s.sponsorAs(op, sign, map[string]any{"mode": "SPONSORED"})
}

// sponsorIn is sponsor for a fee in a token.
func (s *stage) sponsorIn(token common.Address, op *userop.Operation, sign signFunc) error {
	return s.sponsorAs(op, sign, map[string]any{"mode": "ERC20", "tokenInfo": map[string]any{"feeTokenAddress": token}})
}

func (s *stage) sponsorAs(op *userop.Operation, sign signFunc, params map[string]any) error {
	op.Signature = sign(common.Hash{1})
	var answer struct {
		PaymasterAndData                                       string
		PreVerificationGas, VerificationGasLimit, CallGasLimit quantity.Quantity
	}
	params["calculateGasLimits"] = true
	params["sponsorshipInfo"] = map[string]any{"smartAccountInfo": map[string]any{"name": "BICONOMY", "version": "2.0.0"}}
	err := s.toPayer.CallContext(s.t.Context(), &answer, "pm_sponsorUserOperation", op, params)
	op.PaymasterAndData = common.FromHex(answer.PaymasterAndData)
	op.PreVerificationGas = *answer.PreVerificationGas.Int()
	op.VerificationGasLimit = *answer.VerificationGasLimit.Int()
	op.CallGasLimit = *answer.CallGasLimit.Int()
	return err
}

func (s *stage) estimate(op *userop.Operation, sign signFunc) error {
	op.Signature = sign(common.Hash{1})
	var answer gasEstimate
	err := s.toBundler.CallContext(s.t.Context(), &answer, "eth_estimateUserOperationGas", op, s.chain.Contracts.EntryPoint)
	op.PreVerificationGas = *answer.PreVerificationGas.Int()
	op.VerificationGasLimit = *answer.VerificationGasLimit.Int()
	op.CallGasLimit = *answer.CallGasLimit.Int()
	return err
}

func (s *stage) hash(op *userop.Operation) common.Hash {
	return op.Hash(s.chain.Contracts.EntryPoint, s.chain.ChainID())
}

func (s *stage) send(op *userop.Operation) (hash common.Hash, err error) {
	err = s.toBundler.CallContext(s.t.Context(), &hash, "eth_sendUserOperation", op, s.chain.Contracts.EntryPoint)
	return hash, err
}

func (s *stage) signAndSend(op *userop.Operation, sign signFunc) (common.Hash, error) {
	op.Signature = sign(s.hash(op))
	return s.send(op)
}

// wait polls for the receipt.
func (s *stage) wait(hash common.Hash) *userop.Receipt {
	s.t.Helper()
	var raw json.RawMessage
	require.Eventually(s.t, func() bool {
		err := s.toBundler.CallContext(s.t.Context(), &raw, "eth_getUserOperationReceipt", hash)
		return err != nil || string(raw) != "null"
	}, 20*time.Second, 5*time.Millisecond)
	var receipt userop.Receipt
	require.NoError(s.t, json.Unmarshal(raw, &receipt), "%s", raw)
	return &receipt
}

// do sponsors, sends and waits, and wants success.
func (s *stage) do(op *userop.Operation, sign signFunc) *userop.Receipt {
	s.t.Helper()
	require.NoError(s.t, s.sponsor(op, sign))
	hash, err := s.signAndSend(op, sign)
	require.NoError(s.t, err)
	require.Equal(s.t, s.hash(op), hash)
	receipt := s.wait(hash)
	require.True(s.t, receipt.Success, receipt.Reason)
	return receipt
}

// deploy deploys the account with an operation that does nothing else.
func (s *stage) deploy(a owned) {
	s.t.Helper()
	op := s.draft(a.address, 0, contracts.Execute(common.Address{1}, uint256.Int{}, nil))
	op.InitCode = a.initCode
	s.do(op, ownedBy(a.key))
}

// requireRPCError wants an error answer with this code and text, and returns its revert data.
func requireRPCError(t *testing.T, err error, code int, text string) []byte {
	t.Helper()
	require.ErrorContains(t, err, text)
	var coded rpc.Error
	require.True(t, errors.As(err, &coded), "%v", err)
	require.Equal(t, code, coded.ErrorCode(), "%v", err)
	var data rpc.DataError
	if errors.As(err, &data) {
		if text, ok := data.ErrorData().(string); ok {
			return common.FromHex(text)
		}
	}
	return nil
}
