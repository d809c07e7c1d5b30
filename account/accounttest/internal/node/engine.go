// Package node is the node of the test chain: in memory, without peers, with blocks on demand.
package node

import (
	"errors"
	"math/big"
	"net/http"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/catalyst"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/eth/filters"
	"github.com/ethereum/go-ethereum/eth/tracers"
	_ "github.com/ethereum/go-ethereum/eth/tracers/native" // registers callTracer, for who asks the node for it
	"github.com/ethereum/go-ethereum/event"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/rpc"
)

// Node is a node in memory, without peers, that makes blocks on demand. It is what ethclient/simulated is
// made of; that package hides the node, and with it the tracer that gas estimation needs, the pool, and the
// handler that the JSON-RPC endpoint needs.
type Node struct {
	stack  *node.Node
	eth    *eth.Ethereum
	beacon *catalyst.SimulatedBeacon
}

// Start starts a node whose block 0 is genesis; the caller closes it.
func Start(genesis *core.Genesis) (*Node, error) {
	conf := node.DefaultConfig
	conf.DataDir = ""
	conf.P2P = p2p.Config{NoDiscovery: true}
	stack, err := node.New(&conf)
	if err != nil {
		return nil, err
	}
	n := &Node{stack: stack}
	if err := n.start(genesis); err != nil {
		return nil, errors.Join(err, stack.Close())
	}
	return n, nil
}

func (n *Node) start(genesis *core.Genesis) (err error) {
	if n.eth, err = eth.New(n.stack, ethereumConfig(genesis)); err != nil {
		return err
	}
	logs := filters.NewFilterSystem(n.eth.APIBackend, filters.Config{})
	n.stack.RegisterAPIs([]rpc.API{{Namespace: "eth", Service: filters.NewFilterAPI(logs)}})
	n.stack.RegisterAPIs(tracers.APIs(n.eth.APIBackend))
	if err := n.stack.Start(); err != nil {
		return err
	}
	if n.beacon, err = catalyst.NewSimulatedBeacon(0, common.Address{}, n.eth); err != nil {
		return err
	}
	return n.beacon.Fork(n.eth.BlockChain().GetCanonicalHash(0))
}

// Commit makes a block, and waits until the pool knows what is in it.
func (n *Node) Commit() common.Hash {
	hash := n.beacon.Commit()
	_ = n.eth.TxPool().Sync() // fails on a closed pool only
	return hash
}

// Rewind makes the parent of the last depth blocks the newest block, empties the pool, and returns the
// blocks that are no part of the chain any more, the oldest first.
func (n *Node) Rewind(depth uint64) ([]*types.Block, error) {
	chain := n.eth.BlockChain()
	head := chain.CurrentBlock().Number.Uint64()
	lost := make([]*types.Block, 0, depth)
	for number := head - depth + 1; number <= head; number++ {
		lost = append(lost, chain.GetBlockByNumber(number))
	}
	var err error
	for range rewindTries { // a transaction that comes between is refused by Fork
		n.eth.TxPool().Clear()
		if err = n.beacon.Fork(lost[0].ParentHash()); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	err = n.eth.TxPool().Sync() // which takes the lost transactions back into the pool
	n.eth.TxPool().Clear()
	return lost, err
}

const rewindTries = 10

// Close stops the node.
func (n *Node) Close() error {
	return errors.Join(n.beacon.Stop(), n.stack.Close())
}

// Now returns the timestamp of the newest block.
func (n *Node) Now() uint64 { return n.eth.BlockChain().CurrentBlock().Time }

// AdjustTime makes a block whose timestamp is d after the last one's, where no transaction waits.
func (n *Node) AdjustTime(d time.Duration) error { return n.beacon.AdjustTime(d) }

// SubscribeTransactions has every transaction that comes into the pool sent to sent.
func (n *Node) SubscribeTransactions(sent chan<- core.NewTxsEvent) event.Subscription {
	return n.eth.TxPool().SubscribeTransactions(sent, true)
}

// Waiting reports whether a transaction could go into a block.
func (n *Node) Waiting() bool {
	pending, _ := n.eth.TxPool().Stats()
	return pending > 0
}

// Attach returns a client of the node.
func (n *Node) Attach() *rpc.Client { return n.stack.Attach() }

// Handler returns the node's JSON-RPC endpoint.
func (n *Node) Handler() (http.Handler, error) { return n.stack.RPCHandler() }

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
