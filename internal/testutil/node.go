package testutil

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/catalyst"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/eth/filters"
	"github.com/ethereum/go-ethereum/eth/tracers"
	_ "github.com/ethereum/go-ethereum/eth/tracers/native" // registers callTracer
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/rpc"
)

// startNode runs a node in memory, without peers, that makes blocks on demand. It is what
// ethclient/simulated does; that package hides the node, and with it the tracer that gas estimation
// needs and the handler that the JSON-RPC endpoint needs.
func startNode(genesis *core.Genesis) (*node.Node, *catalyst.SimulatedBeacon, error) {
	conf := node.DefaultConfig
	conf.DataDir = ""
	conf.P2P = p2p.Config{NoDiscovery: true}
	stack, err := node.New(&conf)
	if err != nil {
		return nil, nil, err
	}
	beacon, err := startEthereum(stack, genesis)
	if err != nil {
		return nil, nil, errors.Join(err, stack.Close())
	}
	return stack, beacon, nil
}

func startEthereum(stack *node.Node, genesis *core.Genesis) (*catalyst.SimulatedBeacon, error) {
	backend, err := eth.New(stack, ethereumConfig(genesis))
	if err != nil {
		return nil, err
	}
	logs := filters.NewFilterSystem(backend.APIBackend, filters.Config{})
	stack.RegisterAPIs([]rpc.API{{Namespace: "eth", Service: filters.NewFilterAPI(logs)}})
	stack.RegisterAPIs(tracers.APIs(backend.APIBackend))
	if err := stack.Start(); err != nil {
		return nil, err
	}
	beacon, err := catalyst.NewSimulatedBeacon(0, [20]byte{}, backend)
	if err != nil {
		return nil, fmt.Errorf("block production: %w", err)
	}
	return beacon, beacon.Fork(backend.BlockChain().GetCanonicalHash(0))
}

func ethereumConfig(genesis *core.Genesis) *ethconfig.Config {
	conf := ethconfig.Defaults
	conf.Genesis = genesis
	conf.NetworkId = genesis.Config.ChainID.Uint64()
	conf.SyncMode = ethconfig.FullSync
	conf.LogNoHistory = true // the chain is short: logs are found without an index
	conf.DatabaseCache, conf.TrieCleanCache, conf.TrieDirtyCache, conf.SnapshotCache = 16, 16, 16, 16
	conf.RPCGasCap = genesis.GasLimit
	conf.RPCTxFeeCap = 0
	conf.Miner.GasCeil = genesis.GasLimit
	conf.Miner.GasPrice = big.NewInt(1)
	conf.TxPool.NoLocals = true
	conf.TxPool.PriceLimit = 1
	return &conf
}
