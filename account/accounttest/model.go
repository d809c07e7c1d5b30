package accounttest

import (
	"context"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest/internal/model"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/kit"
	"github.com/go-sesame/sesame/userop"
)

// ModelConfig says what model to make. The zero value is a good one.
type ModelConfig struct {
	// ChainID is [DefaultChainID] when zero.
	ChainID uint64
	// Deposit is what both paymasters have to pay with, in wei, at most 2^128: 1,000 ether when nil, nothing
	// when zero or less.
	Deposit *big.Int
	// Policy, when set, is asked by the paymaster as [PaymasterConfig].Policy is.
	Policy func(*userop.Operation) error
}

// Model stands in for a chain with its services in unit tests, without a chain; make one with [NewModel]:
// accounts, owners, modules, session roots, nonces, balances, deposits and the demo contracts in memory, and
// a bundler and a paymaster that are Go values. It needs neither the compiled contracts nor a network, starts
// nothing, and need not be closed.
//
//	model := accounttest.NewModel(accounttest.ModelConfig{})
//	owner, err := model.NewOwner(ctx)
//	sess, tx, err := owner.Grant(ctx, store, policies, account.Sponsored())
//
// Operations are really judged: hash, signature and nonce, deployment, the modules of the account, its
// session root with the proof, each call against the policy of its session, windows by the model's clock,
// deposits and prefunds. What is refused is refused with the errors of a bundler client, and what reverts
// does so with the contracts' reasons: a test of ours plays the same stories on the model and on the real
// contracts, and compares.
//
// What it cannot do: it runs no EVM, and gas is nominal. It knows the account with its modules, the
// EntryPoint, the factory, both paymasters and the demo contracts, and each as far as an account needs it. A
// call of anything else is an error that names the function or, within an operation, a revert that does; an
// address without code takes every call, as on chain. [NewChain] has the real ones.
//
// An operation is included as soon as it is accepted, unless a method of [ModelBundler] has it otherwise. A
// model is safe for concurrent use.
type Model struct {
	// Contracts are the addresses of the contracts: those of public chains with the chain's ID, and the demo
	// contracts.
	Contracts Contracts
	Chain     *ModelChain
	Bundler   *ModelBundler
	Paymaster *ModelPaymaster

	client *account.Client

	mu      sync.Mutex // guards what follows
	machine *model.Machine
	ahead   time.Duration // of the wall clock
	blocks  uint64
	logs    []types.Log // of all blocks
}

// NewModel returns a model of a chain on which nothing has happened yet.
func NewModel(cfg ModelConfig) *Model {
	if cfg.ChainID == 0 {
		cfg.ChainID = DefaultChainID
	}
	if cfg.Deposit == nil {
		cfg.Deposit = ether(1_000)
	}
	if cfg.Policy == nil {
		cfg.Policy = func(*userop.Operation) error { return nil }
	}
	deployed := contracts.DeployedOn(cfg.ChainID)
	at := WellKnownContracts()
	at.EntryPoint, at.Factory, at.FallbackHandler = deployed.EntryPoint, deployed.Factory, deployed.Handler
	m := &Model{Contracts: at}
	m.machine = model.New(model.Config{
		Addresses: model.Addresses{Deployment: deployed, NFT: at.NFT, Token: at.Token, Token6: at.Token6, ResetToken: at.ResetToken, Target: at.Target,
			Oracle: at.Oracle, FactoryV1: at.FactoryV1},
		ChainID: cfg.ChainID,
		Signer:  crypto.PubkeyToAddress(PaymasterSigner().PublicKey),
		BaseFee: modelBaseFee,
	})
	m.Chain = &ModelChain{model: m}
	m.Bundler = newModelBundler(m)
	m.Paymaster = &ModelPaymaster{model: m, policy: cfg.Policy, till: newTill(at)}
	m.fundPaymasters(uint256.MustFromBig(clampWei(cfg.Deposit)))
	m.client, _ = account.NewClient(m.Config()) // which has all that it needs
	return m
}

// clampWei is the nearest amount that the model takes.
func clampWei(amount *big.Int) *big.Int {
	switch {
	case amount.Sign() < 0:
		return new(big.Int)
	case amount.Cmp(maxWei) > 0:
		return maxWei
	}
	return amount
}

// fundPaymasters gives the paymasters what they pay with.
func (m *Model) fundPaymasters(wei *uint256.Int) {
	if wei.IsZero() {
		return
	}
	m.machine.Issue(Address("faucet"), new(uint256.Int).Lsh(wei, 1))
	deposits := []abi.Call{
		{To: m.Contracts.Paymaster, Data: contracts.DepositFor(kit.DefaultPaymasterID())},
		{To: m.Contracts.EntryPoint, Data: contracts.DepositTo(m.Contracts.TokenPaymaster)},
	}
	for _, deposit := range deposits {
		_, _ = m.machine.Call(Address("faucet"), deposit.To, wei, deposit.Data) // these contracts take it
	}
	m.machine.Settle()
}

// Config is what a client of the model is made of, to make one that differs. It asks the chain each time: a
// test does within a millisecond what a chain takes seconds for.
func (m *Model) Config() account.Config {
	return account.Config{ChainID: m.machine.ChainID, Chain: m.Chain, Bundler: m.Bundler, Paymaster: m.Paymaster, Freshness: -1}
}

// Client returns a client of the model, always the same.
func (m *Model) Client() *account.Client { return m.client }

// NewOwner returns the account of a new owner, with a hundred ether; it is not deployed yet.
func (m *Model) NewOwner(ctx context.Context) (*account.OwnedAccount, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, err
	}
	owned := m.client.OwnedAccount(account.KeyOwner(key))
	return owned, m.Chain.Fund(ctx, owned.Address(), ether(100))
}

// AdjustTime moves the model's clock by d, forward only. What is not in the model keeps its own: a session
// that has ended here is refused by the model, and by the session itself only where that has the model's
// clock; see [Model.Now].
func (m *Model) AdjustTime(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("adjust time by %v: it goes forward only", d)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ahead += d
	return nil
}

// Now returns the model's time, in whole seconds: the wall clock's, as far as it was not adjusted. It can be
// a session's clock (session.WithClock), which is the wall clock's otherwise.
func (m *Model) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now()
}

func (m *Model) now() time.Time { return time.Now().Add(m.ahead).Truncate(time.Second) }

// at returns the machine at the model's time. The lock is held.
func (m *Model) at() *model.Machine {
	m.machine.Now = uint64(m.now().Unix())
	return m.machine
}
