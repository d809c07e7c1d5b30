package testutil

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/userop"
)

// PaymasterConfig says what paymaster to start. Only Chain is required.
type PaymasterConfig struct {
	Chain *Chain
	// Signer is the key that signs sponsorships, [PaymasterSigner] when nil. The contract refuses any other's.
	Signer *ecdsa.PrivateKey
	// PaymasterID is whose balance at the paymaster contract pays; Address("paymaster ID") when zero.
	PaymasterID common.Address
	// Deposit is what the balance is funded with, in wei: 1,000 ether when nil, nothing when zero.
	Deposit *big.Int
	// Validity is how long a sponsorship is valid; an hour when zero.
	Validity time.Duration
	// Policy, when set, refuses an operation by returning the reason, which the caller of the service reads.
	Policy func(*userop.Operation) error
}

// Paymaster is a sponsoring paymaster service for the chain's verifying paymaster. It speaks JSON-RPC over HTTP:
// pm_sponsorUserOperation in mode SPONSORED, and ERC-7677's pm_getPaymasterStubData and pm_getPaymasterData.
type Paymaster struct {
	estimator estimator
	contract  common.Address
	signer    *ecdsa.PrivateKey
	id        common.Address
	validity  time.Duration
	policy    func(*userop.Operation) error
	service   *rpcService
}

// StartPaymaster starts a paymaster and funds it; the caller closes it, before the chain.
func StartPaymaster(cfg PaymasterConfig) (*Paymaster, error) {
	if cfg.Chain == nil {
		return nil, errors.New("start paymaster: it needs a chain")
	}
	p := &Paymaster{
		contract: cfg.Chain.Contracts.Paymaster,
		signer:   cfg.Signer,
		id:       cfg.PaymasterID,
		validity: cfg.Validity,
		policy:   cfg.Policy,
	}
	p.estimator = estimator{
		simulator: simulator{chain: cfg.Chain, entryPoint: cfg.Chain.Contracts.EntryPoint},
		seal:      p.seal,
	}
	if p.signer == nil {
		p.signer = PaymasterSigner()
	}
	if p.id == (common.Address{}) {
		p.id = Address("paymaster ID")
	}
	if p.validity == 0 {
		p.validity = time.Hour
	}
	if p.policy == nil {
		p.policy = func(*userop.Operation) error { return nil }
	}
	if cfg.Deposit == nil {
		cfg.Deposit = ether(1_000)
	}
	if err := p.start(cfg.Deposit); err != nil {
		return nil, fmt.Errorf("start paymaster: %w", err)
	}
	return p, nil
}

func (p *Paymaster) start(deposit *big.Int) error {
	if deposit.Sign() > 0 {
		if err := p.Deposit(context.Background(), deposit); err != nil {
			return err
		}
	}
	var err error
	p.service, err = startService(map[string]any{"pm": &paymasterAPI{p}})
	return err
}

// NewPaymaster starts a paymaster that ends with the test.
func NewPaymaster(t TB, cfg PaymasterConfig) *Paymaster {
	t.Helper()
	p, err := StartPaymaster(cfg)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { logClose(t, "paymaster", p.Close) })
	return p
}

// URL returns the address of the paymaster's JSON-RPC endpoint.
func (p *Paymaster) URL() string { return p.service.url }

// Deposit adds wei from the faucet to the balance that pays: depositFor(paymasterId).
func (p *Paymaster) Deposit(ctx context.Context, wei *big.Int) error {
	call, err := abi.Pack("function depositFor(address paymasterId)", p.id)
	if err != nil {
		return err
	}
	if _, err := p.estimator.chain.SendTx(ctx, p.contract, wei, call); err != nil {
		return fmt.Errorf("deposit at the paymaster: %w", err)
	}
	return nil
}

// Balance returns what is left of the balance that pays, in wei.
func (p *Paymaster) Balance(ctx context.Context) (*big.Int, error) {
	call, err := abi.Pack("function getBalance(address paymasterId)", p.id)
	if err != nil {
		return nil, err
	}
	result, err := p.estimator.chain.Call(ctx, p.contract, call)
	if err != nil {
		return nil, fmt.Errorf("balance at the paymaster: %w", err)
	}
	balance, err := abi.DecodeUint256(result)
	return balance.ToBig(), err
}

// Close stops the service.
func (p *Paymaster) Close() error { return p.service.close() }

// seal puts valid paymasterAndData into op. It covers all fields but the account's signature: none of them
// may change afterwards.
func (p *Paymaster) seal(ctx context.Context, op *userop.Operation) error {
	now, err := p.estimator.chain.NextTime(ctx)
	if err != nil {
		return err
	}
	until := uint64(now.Add(p.validity).Unix())
	sig, err := crypto.Sign(accounts.TextHash(p.hash(op, until, 0).Bytes()), p.signer)
	if err != nil {
		return err
	}
	sig[crypto.RecoveryIDOffset] += 27
	op.PaymasterAndData = p.pack(until, 0, sig)
	return nil
}

// stub puts paymasterAndData of the right shape into op, which the contract does not accept.
func (p *Paymaster) stub(op *userop.Operation) {
	const latest = 1<<48 - 1
	sig := common.FromHex("0x73c3ac716c487ca34bb858247b5ccf1dc354fbaabdd089af3b2ac8e78ba85a4959a2d76250325bd67c11771c31fccda87c33ceec17cc0de912690521bb95ffcb1b")
	op.PaymasterAndData = p.pack(latest, 0, sig)
}

// pack returns paymaster ‖ abi.encode(address paymasterId, uint48 validUntil, uint48 validAfter, bytes sig).
func (p *Paymaster) pack(until, after uint64, sig []byte) []byte {
	data := append([]byte{}, p.contract[:]...)
	data = abi.AppendAddress(data, p.id)
	data = abi.AppendUint64(data, until)
	data = abi.AppendUint64(data, after)
	data = abi.AppendUint64(data, 4*abi.WordSize)
	return abi.AppendBytes(data, sig)
}

// hash is the contract's getHash(op, paymasterId, validUntil, validAfter).
func (p *Paymaster) hash(op *userop.Operation, until, after uint64) common.Hash {
	data := abi.AppendAddress(nil, op.Sender)
	data = abi.AppendUint256(data, &op.Nonce)
	data = abi.AppendWord(data, crypto.Keccak256Hash(op.InitCode))
	data = abi.AppendWord(data, crypto.Keccak256Hash(op.CallData))
	for _, field := range []*uint256.Int{
		&op.CallGasLimit, &op.VerificationGasLimit, &op.PreVerificationGas, &op.MaxFeePerGas, &op.MaxPriorityFeePerGas,
	} {
		data = abi.AppendUint256(data, field)
	}
	data = abi.AppendUint64(data, p.estimator.chain.ChainID())
	data = abi.AppendAddress(data, p.contract)
	data = abi.AppendAddress(data, p.id)
	data = abi.AppendUint64(data, until)
	data = abi.AppendUint64(data, after)
	return crypto.Keccak256Hash(data)
}
