package accounttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account/accounttest/internal/artifacts"
	"github.com/go-sesame/sesame/account/accounttest/internal/node"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
)

// GenesisJSON returns block 0 of the chain that [StartChain] would start, the contracts at their well-known
// addresses and the funded [Faucet] in it, as a file for a node elsewhere: geth's init takes it, and Anvil's
// --init. The error matches [ErrNoContracts] when the compiled contracts are not there.
func GenesisJSON(cfg ChainConfig) ([]byte, error) {
	cfg.setDefaults()
	genesis, err := cfg.genesis()
	if err != nil {
		return nil, err
	}
	return json.Marshal(genesis)
}

// genesis is block 0, at the present time.
func (cfg *ChainConfig) genesis() (*core.Genesis, error) {
	contracts, err := contractsAlloc()
	if err != nil {
		return nil, err
	}
	accounts := maps.Clone(contracts)
	accounts[crypto.PubkeyToAddress(Faucet().PublicKey)] = types.Account{Balance: ether(1_000_000_000)}
	return node.Genesis(accounts, cfg.ChainID, uint64(time.Now().Unix())), nil
}

// contractsAlloc is the genesis state of the contracts: the slow part of starting a chain, and the same for
// all chains of the process.
var contractsAlloc = sync.OnceValues(func() (types.GenesisAlloc, error) {
	codes, err := artifacts.Load()
	if err != nil {
		return nil, err
	}
	return installContracts(codes)
})

// installContracts runs the constructors of all contracts and returns the state they leave behind.
func installContracts(codes artifacts.Codes) (types.GenesisAlloc, error) {
	at := WellKnownContracts()
	faucet := crypto.PubkeyToAddress(Faucet().PublicKey)
	signer := crypto.PubkeyToAddress(PaymasterSigner().PublicKey)
	factory := withDeployedProxyHash(codes["SmartAccountFactory"], codes["Proxy"])

	setup, err := node.NewInstaller()
	if err != nil {
		return nil, err
	}
	for _, c := range []struct {
		name    string
		address common.Address
		code    []byte
		args    []byte
	}{
		{"EntryPoint", at.EntryPoint, codes["EntryPoint"], nil},
		{"SmartAccount", at.Implementation, codes["SmartAccount"], addressArgs(at.EntryPoint)},
		{"SmartAccountFactory", at.Factory, factory, addressArgs(at.Implementation, faucet)},
		{"EcdsaOwnershipRegistryModule", at.ECDSAModule, codes["EcdsaOwnershipRegistryModule"], nil},
		{"MultichainECDSAValidator", at.MultichainModule, codes["MultichainECDSAValidator"], nil},
		{"SessionKeyManager", at.SessionKeyManager, codes["SessionKeyManager"], nil},
		{"BatchedSessionRouter", at.BatchedSessionRouter, codes["BatchedSessionRouter"], nil},
		{"ABISessionValidationModule", at.ABISessionModule, codes["ABISessionValidationModule"], nil},
		{"ERC20SessionValidationModule", at.ERC20SessionModule, codes["ERC20SessionValidationModule"], nil},
		{"VerifyingSingletonPaymaster", at.Paymaster, codes["VerifyingSingletonPaymaster"], addressArgs(faucet, at.EntryPoint, signer)},
		{"DemoTokenPaymaster", at.TokenPaymaster, codes["DemoTokenPaymaster"], addressArgs(faucet, at.EntryPoint, signer)},
		{"DemoOracle", at.Oracle, codes["DemoOracle"], nil},
		{"AccountResolver", at.Resolver, codes["AccountResolver"], addressArgs(at.FactoryV1, at.Factory, at.ECDSAModule)},
		{"DemoFactoryV1", at.FactoryV1, codes["DemoFactoryV1"], nil},
		{"DemoNFT", at.NFT, codes["DemoNFT"], nil},
		{"DemoToken", at.Token, codes["DemoToken"], tokenArgs("DEMO", 18)},
		{"DemoToken", at.Token6, codes["DemoToken"], tokenArgs("DEMO6", 6)},
		{"DemoResetToken", at.ResetToken, codes["DemoResetToken"], tokenArgs("RESET", 6)},
		{"DemoTarget", at.Target, codes["DemoTarget"], nil},
	} {
		if err := setup.Install(c.address, append(bytes.Clone(c.code), c.args...)); err != nil {
			return nil, fmt.Errorf("install %s: %w", c.name, err)
		}
	}
	return setup.Alloc(), nil
}

// withDeployedProxyHash replaces the metadata hash of every proxy inside the factory's code. A factory that
// holds another proxy stays as it is.
func withDeployedProxyHash(factory, proxy []byte) []byte {
	const trailer = 11 // what follows the hash: "dsolc", its version, and the length of the metadata
	end := len(proxy) - trailer - common.HashLength
	if end <= 0 {
		return factory
	}
	program := proxy[:end]
	patched := bytes.Clone(factory)
	for rest := patched; ; {
		at := bytes.Index(rest, program)
		if at < 0 {
			return patched
		}
		rest = rest[at+len(program):]
		copy(rest, contracts.ProxyMetadataHash().Bytes())
	}
}

func addressArgs(addresses ...common.Address) []byte {
	var args []byte
	for _, a := range addresses {
		args = abiword.AppendAddress(args, a)
	}
	return args
}

// tokenArgs encodes (string symbol, uint8 decimals).
func tokenArgs(symbol string, decimals uint8) []byte {
	args := abiword.AppendUint64(nil, 2*abi.WordSize)
	args = abiword.AppendUint64(args, uint64(decimals))
	return abiword.AppendBytes(args, []byte(symbol))
}

// ether returns n ether in wei.
func ether(n int64) *big.Int {
	return new(big.Int).Mul(big.NewInt(n), big.NewInt(params.Ether))
}
