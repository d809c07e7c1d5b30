package node

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"
)

// installGas is more than any constructor needs.
const installGas = 30_000_000

// Installer puts contracts at addresses of its choosing: it runs creation code in the context of the address
// itself and keeps what that leaves behind, the accounts it made included.
type Installer struct {
	state   *state.StateDB
	evm     *vm.EVM
	touched map[common.Address]map[common.Hash]bool // account → storage slots
}

// NewInstaller returns an installer without contracts.
func NewInstaller() (*Installer, error) {
	db, err := state.New(types.EmptyRootHash, state.NewDatabaseForTesting())
	if err != nil {
		return nil, err
	}
	in := &Installer{state: db, touched: make(map[common.Address]map[common.Hash]bool)}
	hooks := &tracing.Hooks{
		OnNonceChange:   func(a common.Address, _, _ uint64) { in.touch(a) },
		OnCodeChange:    func(a common.Address, _ common.Hash, _ []byte, _ common.Hash, _ []byte) { in.touch(a) },
		OnStorageChange: func(a common.Address, slot, _, _ common.Hash) { in.touch(a)[slot] = true },
	}
	block := vm.BlockContext{
		CanTransfer: core.CanTransfer,
		Transfer:    core.Transfer,
		GetHash:     func(uint64) common.Hash { return common.Hash{} },
		BlockNumber: new(big.Int),
		Difficulty:  new(big.Int),
		BaseFee:     new(big.Int),
		BlobBaseFee: new(big.Int),
		GasLimit:    installGas,
		Random:      new(common.Hash),
	}
	in.evm = vm.NewEVM(block, state.NewHookedState(db, hooks), chainParams(1), vm.Config{Tracer: hooks})
	return in, nil
}

func (in *Installer) touch(a common.Address) map[common.Hash]bool {
	if in.touched[a] == nil {
		in.touched[a] = make(map[common.Hash]bool)
	}
	return in.touched[a]
}

// Install runs creation, constructor arguments appended, as the code of address and replaces it by what it
// returns.
func (in *Installer) Install(address common.Address, creation []byte) error {
	in.touch(address)
	in.state.CreateAccount(address)
	in.state.SetNonce(address, 1, tracing.NonceChangeGenesis)
	in.state.SetCode(address, creation, tracing.CodeChangeGenesis)

	rules := in.evm.ChainConfig().Rules(new(big.Int), true, 0)
	in.state.Prepare(rules, common.Address{}, common.Address{}, &address, vm.ActivePrecompiles(rules), nil)
	in.evm.SetTxContext(vm.TxContext{GasPrice: new(uint256.Int)})
	code, _, err := in.evm.Call(common.Address{}, address, nil, vm.NewGasBudget(installGas, 0), new(uint256.Int))
	switch {
	case err != nil:
		return fmt.Errorf("constructor: %w (returned %#x)", err, code)
	case len(code) == 0:
		return fmt.Errorf("constructor returned no code")
	case len(code) > params.MaxCodeSize:
		return fmt.Errorf("code has %d bytes, more than the %d that EIP-170 allows", len(code), params.MaxCodeSize)
	}
	in.state.SetCode(address, code, tracing.CodeChangeGenesis)
	in.state.Finalise(rules)
	return nil
}

// Alloc returns all accounts that the constructors left behind.
func (in *Installer) Alloc() types.GenesisAlloc {
	alloc := make(types.GenesisAlloc, len(in.touched))
	for address, slots := range in.touched {
		if in.state.Empty(address) {
			continue
		}
		storage := make(map[common.Hash]common.Hash, len(slots))
		for slot := range slots {
			if value := in.state.GetState(address, slot); value != (common.Hash{}) {
				storage[slot] = value
			}
		}
		alloc[address] = types.Account{
			Code:    in.state.GetCode(address),
			Storage: storage,
			Balance: new(big.Int),
			Nonce:   in.state.GetNonce(address),
		}
	}
	return alloc
}
