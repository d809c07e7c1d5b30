package accounttest

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/kit"
	"github.com/go-sesame/sesame/userop"
)

// PaymasterConfig says what paymaster to start. Only Chain is required.
type PaymasterConfig struct {
	Chain *Chain
	// Signer is the key that signs sponsorships, [PaymasterSigner] when nil. The contract refuses any
	// other's.
	Signer *ecdsa.PrivateKey
	// PaymasterID is whose balance at the paymaster contract pays; Address("paymaster ID") when zero.
	PaymasterID common.Address
	// Deposit is what the balance, and the token paymaster's deposit, is funded with, in wei: 1,000 ether
	// when nil, nothing when zero.
	Deposit *big.Int
	// Validity is how long a sponsorship is valid; an hour when zero.
	Validity time.Duration
	// Policy, when set, refuses an operation by returning the reason, which the caller of the service reads.
	// For [ErrUnsponsored] the service answers as one does that has no objection, and does not pay: with
	// "0x".
	Policy func(*userop.Operation) error

	port int // 0 is a free one
}

// ErrUnsponsored is what a [PaymasterConfig].Policy returns to leave an operation to its account.
var ErrUnsponsored = errors.New("not sponsored")

// Paymaster is the service of the chain's verifying paymaster, which sponsors, and of its token paymaster,
// which is paid in the demo tokens at 2,000 of them for one ether and a tenth more. It speaks JSON-RPC over
// HTTP: pm_sponsorUserOperation and pm_getFeeQuoteOrData in modes SPONSORED and ERC20, and ERC-7677's
// pm_getPaymasterStubData and pm_getPaymasterData.
type Paymaster struct {
	estimator estimator
	contract  common.Address
	signer    *ecdsa.PrivateKey
	id        common.Address
	validity  time.Duration
	policy    func(*userop.Operation) error
	till      *till
	service   *rpcService
}

// StartPaymaster starts a paymaster and funds it; the caller closes it, before the chain.
func StartPaymaster(cfg PaymasterConfig) (*Paymaster, error) {
	if cfg.Chain == nil {
		return nil, errors.New("start paymaster: it needs a chain")
	}
	cfg.setDefaults()
	p := &Paymaster{
		contract: cfg.Chain.Contracts.Paymaster,
		signer:   cfg.Signer,
		id:       cfg.PaymasterID,
		validity: cfg.Validity,
		policy:   cfg.Policy,
		till:     newTill(cfg.Chain.Contracts),
	}
	p.estimator = estimator{
		simulator: simulator{chain: cfg.Chain, entryPoint: cfg.Chain.Contracts.EntryPoint},
		seal:      p.seal,
	}
	if err := p.start(cfg.Deposit, cfg.port); err != nil {
		return nil, fmt.Errorf("start paymaster: %w", err)
	}
	return p, nil
}

func (cfg *PaymasterConfig) setDefaults() {
	if cfg.Signer == nil {
		cfg.Signer = PaymasterSigner()
	}
	if cfg.PaymasterID == (common.Address{}) {
		cfg.PaymasterID = kit.DefaultPaymasterID()
	}
	if cfg.Deposit == nil {
		cfg.Deposit = ether(1_000)
	}
	if cfg.Validity == 0 {
		cfg.Validity = time.Hour
	}
	if cfg.Policy == nil {
		cfg.Policy = func(*userop.Operation) error { return nil }
	}
}

func (p *Paymaster) start(deposit *big.Int, port int) error {
	if deposit.Sign() > 0 {
		if err := p.Deposit(context.Background(), deposit); err != nil {
			return err
		}
		at := p.estimator.chain.Contracts
		if _, err := p.estimator.chain.SendTx(context.Background(), at.EntryPoint, deposit, contracts.DepositTo(at.TokenPaymaster)); err != nil {
			return fmt.Errorf("deposit for the token paymaster: %w", err)
		}
		if err := p.estimator.chain.settled(context.Background()); err != nil {
			return err
		}
	}
	var err error
	p.service, err = startService(map[string]any{"pm": &paymasterAPI{p}}, port)
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
func (p *Paymaster) URL() string { return p.service.url() }

// Deposit adds wei from the faucet to the balance that pays: contracts.DepositFor(paymasterId).
func (p *Paymaster) Deposit(ctx context.Context, wei *big.Int) error {
	if _, err := p.estimator.chain.SendTx(ctx, p.contract, wei, contracts.DepositFor(p.id)); err != nil {
		return fmt.Errorf("deposit at the paymaster: %w", err)
	}
	return nil
}

// Balance returns what is left of the balance that pays, in wei.
func (p *Paymaster) Balance(ctx context.Context) (*big.Int, error) {
	result, err := p.estimator.chain.Call(ctx, p.contract, contracts.GetBalance(p.id))
	if err != nil {
		return nil, fmt.Errorf("balance at the paymaster: %w", err)
	}
	balance, err := contracts.DecodeUint256(result)
	return balance.ToBig(), err
}

// Close stops the service.
func (p *Paymaster) Close() error { return p.service.close() }
