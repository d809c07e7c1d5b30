package testutil

import (
	"errors"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
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

// engine is a node in memory, without peers, that makes blocks on demand. It is what ethclient/simulated
// is made of; that package hides the node, and with it the tracer that gas estimation needs, the pool,
// and the handler that the JSON-RPC endpoint needs.
type engine struct {
	node   *node.Node
	eth    *eth.Ethereum
	beacon *catalyst.SimulatedBeacon
}

func startEngine(genesis *core.Genesis) (*engine, error) {
	conf := node.DefaultConfig
	conf.DataDir = ""
	conf.P2P = p2p.Config{NoDiscovery: true}
	stack, err := node.New(&conf)
	if err != nil {
		return nil, err
	}
	e := &engine{node: stack}
	if err := e.start(genesis); err != nil {
		return nil, errors.Join(err, stack.Close())
	}
	return e, nil
}

func (e *engine) start(genesis *core.Genesis) (err error) {
	if e.eth, err = eth.New(e.node, ethereumConfig(genesis)); err != nil {
		return err
	}
	logs := filters.NewFilterSystem(e.eth.APIBackend, filters.Config{})
	e.node.RegisterAPIs([]rpc.API{{Namespace: "eth", Service: filters.NewFilterAPI(logs)}})
	e.node.RegisterAPIs(tracers.APIs(e.eth.APIBackend))
	if err := e.node.Start(); err != nil {
		return err
	}
	if e.beacon, err = catalyst.NewSimulatedBeacon(0, common.Address{}, e.eth); err != nil {
		return err
	}
	return e.beacon.Fork(e.eth.BlockChain().GetCanonicalHash(0))
}

// commit makes a block, and waits until the pool knows what is in it.
func (e *engine) commit() common.Hash {
	hash := e.beacon.Commit()
	_ = e.eth.TxPool().Sync() // fails on a closed pool only
	return hash
}

func (e *engine) close() error {
	return errors.Join(e.beacon.Stop(), e.node.Close())
}

func ethereumConfig(genesis *core.Genesis) *ethconfig.Config {
	conf := ethconfig.Defaults
	conf.Genesis = genesis
	conf.NetworkId = genesis.Config.ChainID.Uint64()
	conf.SyncMode = ethconfig.FullSync
	conf.LogNoHistory = true // the chain is short: logs are found without an index
	conf.DatabaseCache, conf.TrieCleanCache, conf.TrieDirtyCache, conf.SnapshotCache = 16, 16, 16, 16
	conf.RPCGasCap = genesis.GasLimit
	conf.RPCEVMTimeout = 0 // the caller's context bounds a call, on a busy machine too
	conf.RPCTxFeeCap = 0
	conf.Miner.GasCeil = genesis.GasLimit
	conf.Miner.GasPrice = big.NewInt(1)
	conf.TxPool.NoLocals = true
	conf.TxPool.PriceLimit = 1
	return &conf
}
