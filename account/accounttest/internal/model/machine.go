package model

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// Addresses are where the model's contracts are.
type Addresses struct {
	contracts.Deployment
	NFT, Token, Token6, ResetToken, Target, Oracle, FactoryV1 common.Address
}

// Config is what a [Machine] is made of.
type Config struct {
	Addresses Addresses
	ChainID   uint64
	// Signer is whose signature both paymasters accept.
	Signer common.Address
	// BaseFee is that of every block, in wei per gas.
	BaseFee uint64
}

// Machine is the chain's contracts and their state. It is not safe for concurrent use.
type Machine struct {
	Config
	state
	// Now is the time that a call sees, in unix seconds.
	Now uint64

	contracts      map[common.Address]*contract
	account        *contract // at every address that the factory deployed to
	authorizers    map[common.Address]authorizer
	sessionModules map[common.Address]sessionModule
	paymasters     map[common.Address]paymaster

	calls    int // that were made: what gas is reckoned from
	depth    int
	bundling bool // a bundle cannot be in another
}

// contract is the code at an address.
type contract struct {
	name    string
	methods map[[abi.SelectorSize]byte]method
	// receive takes currency without calldata; nil where the contract refuses it.
	receive func(c *call) error
}

// authorizer is a validation module of an account.
type authorizer func(c *call, op *userop.Operation, hash common.Hash) (validation, error)

// call is one call of a contract: what it sees of whoever called.
type call struct {
	*Machine
	from, self common.Address
	value      uint256.Int
}

// New returns a machine whose contracts are deployed, and nothing else.
func New(cfg Config) *Machine {
	at := &cfg.Addresses
	modules := policy.Modules{Manager: at.SessionKeyManager, Router: at.BatchedSessionRouter, ABI: at.ABISessionModule, ERC20: at.ERC20SessionModule}
	return &Machine{
		Config:    cfg,
		state:     state{words: make(map[slot]common.Hash)},
		contracts: newContracts(at),
		account:   newContract("a smart account", accountMethods(), receiveAtAccount),
		authorizers: map[common.Address]authorizer{
			at.ECDSA: validateOwner, at.Multichain: validateMultichain,
			at.SessionKeyManager: validateSession, at.BatchedSessionRouter: validateBatch,
		},
		sessionModules: map[common.Address]sessionModule{at.ABISessionModule: {modules}, at.ERC20SessionModule: {modules}},
		paymasters:     map[common.Address]paymaster{at.VerifyingPaymaster: validateSponsor, at.TokenPaymaster: validateToken},
	}
}

// newContracts are all contracts but accounts. What the EntryPoint and the account ask of a module or a
// paymaster is in tables of its own.
func newContracts(at *Addresses) map[common.Address]*contract {
	return map[common.Address]*contract{
		at.EntryPoint:           newContract("the EntryPoint", entryPointMethods(), receiveDeposit),
		at.Implementation:       newContract("the account's implementation", nil, func(*call) error { return custom("DelegateCallsOnly()") }),
		at.Factory:              newContract("the account factory", factoryMethods(), nil),
		at.Handler:              newContract("the fallback handler", handlerMethods(), nil),
		at.ECDSA:                newContract("the ECDSA ownership module", ownershipMethods(), nil),
		at.Multichain:           newContract("the multichain module", ownershipMethods(), nil),
		at.SessionKeyManager:    newContract("the session key manager", managerMethods(), nil),
		at.BatchedSessionRouter: newContract("the batched session router", noSignatureMethods(), nil),
		at.ABISessionModule:     newContract("the ABI session module", nil, nil),
		at.ERC20SessionModule:   newContract("the ERC-20 session module", nil, nil),
		at.VerifyingPaymaster:   newContract("the verifying paymaster", paymasterMethods(), nil),
		at.TokenPaymaster:       newContract("the token paymaster", tokenPaymasterMethods(), nil),
		at.Resolver:             newContract("the account resolver", resolverMethods(), nil),
		at.FactoryV1:            newContract("the factory of version 1", factoryV1Methods(), nil),
		at.Oracle:               newContract("the demo oracle", oracleMethods(), nil),
		at.NFT:                  newContract("the demo NFT", nftMethods(), nil),
		at.Token:                newContract("the demo token", tokenMethods("DEMO", 18, false), nil),
		at.Token6:               newContract("the demo token", tokenMethods("DEMO6", 6, false), nil),
		at.ResetToken:           newContract("the demo token", tokenMethods("RESET", 6, true), nil),
		at.Target:               newContract("the demo target", targetMethods(), func(*call) error { return nil }),
	}
}

func newContract(name string, methods map[string]method, receive func(*call) error) *contract {
	c := &contract{name: name, methods: make(map[[abi.SelectorSize]byte]method, len(methods)), receive: receive}
	for _, signature := range askedOfAnybody {
		c.methods[selectorOf(signature)] = method{run: func(*call, *input) ([]byte, error) { return nil, bare() }}
	}
	for signature, m := range methods {
		c.methods[selectorOf(signature)] = m
	}
	return c
}

// askedOfAnybody are functions that the library, or a contract here, asks of any address, to learn whether it
// has them. Contracts here that have one say so in their tables; the others revert, as the real ones do.
var askedOfAnybody = []string{
	"getModulesPaginated(address,uint256)", "isModuleEnabled(address)", "isValidSignature(bytes32,bytes)",
	"getOwner(address)", "decimals()", "symbol()", "balanceOf(address)", "allowance(address,address)",
	"getImplementation()", "VERSION()",
}

// contractAt returns the code at an address, nil for none.
func (m *Machine) contractAt(a common.Address) *contract {
	if c, ok := m.contracts[a]; ok {
		return c
	}
	if m.words[slot{at: a, name: codeSlot}] != (common.Hash{}) {
		return m.account
	}
	return nil
}

// HasCode reports whether there is a contract at an address.
func (m *Machine) HasCode(a common.Address) bool { return m.contractAt(a) != nil }

// Balance returns what an address holds of the chain's own currency, in wei.
func (m *Machine) Balance(a common.Address) uint256.Int { return m.number(balanceOf(a)) }

// Issue makes wei out of nothing.
func (m *Machine) Issue(to common.Address, wei *uint256.Int) { m.add(balanceOf(to), wei) }

// maxDepth bounds calls within calls, as the EVM does; calls are cheaper there.
const maxDepth = 64

// Call makes a call, all or nothing. The error is a [*Reverted] or an [*Unknown].
func (m *Machine) Call(from, to common.Address, value *uint256.Int, data []byte) ([]byte, error) {
	if m.depth >= maxDepth {
		return nil, bare()
	}
	m.depth++
	defer func() { m.depth-- }()
	m.calls++
	start := m.mark()
	result, err := m.enter(&call{Machine: m, from: from, self: to, value: *value}, data)
	if err != nil {
		m.rollback(start)
	}
	return result, err
}

func (m *Machine) enter(c *call, data []byte) ([]byte, error) {
	if !c.value.IsZero() {
		if !m.subtract(balanceOf(c.from), &c.value) {
			return nil, bare()
		}
		m.add(balanceOf(c.self), &c.value)
	}
	code := m.contractAt(c.self)
	switch {
	case code == nil:
		return nil, nil
	case len(data) == 0 && code.receive != nil:
		return nil, code.receive(c)
	case len(data) == 0:
		return nil, bare()
	case len(data) < abi.SelectorSize:
		return nil, bare() // no function has so short a name, and none here has a fallback for it
	}
	method, ok := code.methods[[abi.SelectorSize]byte(data)]
	switch {
	case !ok:
		return nil, &Unknown{To: c.self, Data: data, Contract: code.name}
	case !method.payable && !c.value.IsZero():
		return nil, bare()
	}
	return method.run(c, &input{data: data[abi.SelectorSize:]})
}

// call makes a call from this one's contract.
func (c *call) call(to common.Address, value *uint256.Int, data []byte) ([]byte, error) {
	return c.Call(c.self, to, value, data)
}

// slot names a variable of the contract.
func (c *call) slot(name string, keys ...common.Hash) slot {
	s := slot{at: c.self, name: name}
	if len(keys) > 0 {
		s.a = keys[0]
	}
	if len(keys) > 1 {
		s.b = keys[1]
	}
	return s
}

// emit writes a log of the contract.
func (c *call) emit(signature string, topics []common.Hash, data ...common.Hash) {
	c.log(c.self, append([]common.Hash{topicOf(signature)}, topics...), flat(data))
}

// Try makes a call and takes back what it did.
func (m *Machine) Try(from, to common.Address, value *uint256.Int, data []byte) ([]byte, error) {
	start := m.mark()
	defer m.rollback(start)
	return m.Call(from, to, value, data)
}

// Read makes reads in their order. What one does is seen by those after it, and gone afterwards.
func (m *Machine) Read(reads []contracts.Read) ([]contracts.ReadResult, error) {
	start := m.mark()
	defer m.rollback(start)
	results := make([]contracts.ReadResult, len(reads))
	for i := range reads {
		r := &reads[i]
		results[i].Balance, results[i].HasCode, results[i].BlockTime = m.Balance(r.To), m.HasCode(r.To), m.Now
		before := m.mark()
		data, err := m.Call(common.Address{}, r.To, new(uint256.Int), r.Data)
		if !r.Mutates && m.mark() != before {
			m.rollback(before)
			data, err = nil, bare() // a static call must change nothing
		}
		if _, unknown := err.(*Unknown); unknown {
			return nil, err
		}
		results[i].OK, results[i].Data = err == nil, data
		if err != nil {
			results[i].Data = revertData(err)
		}
	}
	return results, nil
}

func newBig(n uint64) *big.Int { return new(big.Int).SetUint64(n) }
