package accounttest

import (
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

func TestReorg(t *testing.T) {
	chain := NewChain(t, ChainConfig{})
	ctx, to := t.Context(), common.Address{1}
	balance := func() int64 {
		b, err := chain.Client().BalanceAt(ctx, to, nil)
		require.NoError(t, err)
		return b.Int64()
	}
	head := func() int64 {
		number, err := chain.Client().BlockNumber(ctx)
		require.NoError(t, err)
		return int64(number)
	}
	require.NoError(t, chain.Fund(ctx, to, big.NewInt(1)))
	before := head()
	kept, err := chain.SendTx(ctx, to, big.NewInt(10), nil)
	require.NoError(t, err)
	raw, _, err := chain.Client().TransactionByHash(ctx, kept.TxHash)
	require.NoError(t, err)
	require.NoError(t, chain.AdjustTime(time.Hour))
	lost, err := chain.SendTx(ctx, to, big.NewInt(100), nil)
	require.NoError(t, err)
	waits, err := chain.signTx(ctx, Faucet(), to, big.NewInt(1000), nil, 21_000)
	require.NoError(t, err)
	require.NoError(t, chain.Client().SendTransaction(ctx, waits))
	lastTime, err := chain.Now(ctx)
	require.NoError(t, err)

	require.NoError(t, chain.Reorg(ctx, uint64(head()-before)))
	require.Equal(t, before, head())
	require.EqualValues(t, 1, balance(), "the state is what it was")
	for _, hash := range []common.Hash{kept.TxHash, lost.TxHash, waits.Hash()} {
		_, err = chain.Client().TransactionReceipt(ctx, hash)
		require.ErrorIs(t, err, ethereum.NotFound)
		_, _, err = chain.Client().TransactionByHash(ctx, hash)
		require.ErrorIs(t, err, ethereum.NotFound)
	}
	next, err := chain.NextTime(ctx)
	require.NoError(t, err)
	require.True(t, next.After(lastTime))
	chain.Commit()
	require.EqualValues(t, 1, balance(), "nothing sends them again")
	now, err := chain.Now(ctx)
	require.NoError(t, err)
	require.Equal(t, next, now)

	require.NoError(t, chain.Client().SendTransaction(ctx, raw), "the same bytes can be sent again")
	chain.Commit()
	require.EqualValues(t, 11, balance())
	require.NoError(t, chain.Fund(ctx, to, big.NewInt(100)), "the faucet counts from where its nonce is")
	require.EqualValues(t, 111, balance())

	require.EqualError(t, chain.Reorg(ctx, 0), "reorg of no block")
	require.ErrorContains(t, chain.Reorg(ctx, 1000), "no such reorg: of 1000 blocks: the newest is block ")
	require.NoError(t, chain.Reorg(ctx, uint64(head())), "back to the first block")
	require.Zero(t, balance())
	require.NoError(t, chain.Fund(ctx, to, big.NewInt(7)))
	require.EqualValues(t, 7, balance())
	require.NoError(t, chain.Close())
	require.EqualError(t, chain.Reorg(ctx, 1), "reorg: the chain is closed")
}

// A state that many blocks have passed since is still there.
func TestDeepReorg(t *testing.T) {
	chain := NewChain(t, ChainConfig{})
	require.NoError(t, chain.Fund(t.Context(), common.Address{1}, big.NewInt(1)))
	for range 100 {
		require.NoError(t, chain.Fund(t.Context(), common.Address{1}, big.NewInt(1)))
	}
	require.NoError(t, chain.Reorg(t.Context(), 100))
	require.NoError(t, chain.Fund(t.Context(), common.Address{1}, big.NewInt(5)))
	balance, err := chain.Client().BalanceAt(t.Context(), common.Address{1}, nil)
	require.NoError(t, err)
	require.EqualValues(t, 6, balance.Int64())
}

// What became of an operation whose bundle was lost, and that the bundler answers by the new branch at once.
func TestBundlerAfterReorg(t *testing.T) {
	for _, vendor := range []bundlertest.Vendor{bundlertest.Standard, bundlertest.Biconomy} {
		s := newStage(t, vendor)
		user := s.account("owner")
		s.deploy(user)
		s.do(s.draft(user.address, 0, s.target(0, "function store(uint256 n)", 1)), ownedBy(user.key))
		op := s.draft(user.address, 0, s.target(0, "function store(uint256 n)", 2))
		require.NoError(t, s.sponsor(op, ownedBy(user.key)))
		hash, err := s.signAndSend(op, ownedBy(user.key))
		require.NoError(t, err)
		first := s.wait(hash)

		s.bundler.Pause()
		require.NoError(t, s.chain.Reorg(t.Context(), 1))
		var receipt *userop.Receipt
		require.NoError(t, s.toBundler.Call(&receipt, "eth_getUserOperationReceipt", hash))
		require.Nil(t, receipt, "its receipt is not answered any more")
		var known *knownOp
		require.NoError(t, s.toBundler.Call(&known, "eth_getUserOperationByHash", hash))
		require.NotNil(t, known, "it waits")
		require.Nil(t, known.BlockHash)

		s.chain.Commit()
		s.bundler.Resume()
		again := s.wait(hash)
		require.True(t, again.Success)
		require.NotEqual(t, first.BlockHash, again.BlockHash)
		require.NotEqual(t, first.BlockNumber, again.BlockNumber)
		s.do(s.draft(user.address, 0, s.target(0, "function store(uint256 n)", 3)), ownedBy(user.key))
	}
}

// Several operations, and bundles that depend on one another, land again in their order.
func TestBundlesOfLostBlocksAreMadeAgain(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	start, err := s.chain.Client().BlockNumber(t.Context())
	require.NoError(t, err)
	var hashes []common.Hash
	for n := range 3 {
		op := s.draft(user.address, 0, s.target(0, "function store(uint256 n)", n))
		require.NoError(t, s.sponsor(op, ownedBy(user.key)))
		hash, err := s.signAndSend(op, ownedBy(user.key))
		require.NoError(t, err)
		s.wait(hash)
		hashes = append(hashes, hash)
	}
	head, err := s.chain.Client().BlockNumber(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.chain.Reorg(t.Context(), head-start))
	for _, hash := range hashes {
		require.True(t, s.wait(hash).Success)
	}
	logs, err := s.chain.Client().FilterLogs(t.Context(), ethereum.FilterQuery{
		FromBlock: new(big.Int).SetUint64(start + 1),
		Topics:    [][]common.Hash{{contracts.UserOperationEventTopic}, hashes},
	})
	require.NoError(t, err)
	require.Len(t, logs, len(hashes), "each once")
}

func TestBundlerThatLosesReorged(t *testing.T) {
	chain := NewChain(t, ChainConfig{})
	b := NewBundler(t, BundlerConfig{Chain: chain, LosesReorged: true})
	require.ErrorContains(t, chain.Reorg(t.Context(), 1), "stay", "the bundler keeps its money")
	s := newStageOn(t, chain, b)
	user := s.account("owner")
	s.deploy(user)
	op := s.draft(user.address, 0, s.target(0, "function store(uint256 n)", 2))
	require.NoError(t, s.sponsor(op, ownedBy(user.key)))
	hash, err := s.signAndSend(op, ownedBy(user.key))
	require.NoError(t, err)
	first := s.wait(hash)
	require.NoError(t, chain.Reorg(t.Context(), 1))
	var known *knownOp
	require.NoError(t, s.toBundler.Call(&known, "eth_getUserOperationByHash", hash))
	require.Nil(t, known)
	chain.Commit()
	var receipt *userop.Receipt
	require.NoError(t, s.toBundler.Call(&receipt, "eth_getUserOperationReceipt", hash))
	require.Nil(t, receipt)
	again, err := s.send(op)
	require.NoError(t, err, "the same bytes are taken again")
	require.Equal(t, hash, again)
	require.NotEqual(t, first.BlockHash, s.wait(hash).BlockHash)
}

func TestDevnetAfterReorg(t *testing.T) {
	devnet := NewDevnet(t, DevnetConfig{})
	owner := devnet.Client.OwnedAccount(account.KeyOwner(devnet.Owner))
	send := func() *userop.Receipt {
		sent, err := owner.Send(t.Context(), []account.Call{{To: common.Address{2}, Value: *uint256.NewInt(1)}}, account.Sponsored())
		require.NoError(t, err)
		receipt, err := sent.Wait(t.Context())
		require.NoError(t, err)
		return receipt
	}
	send()
	lost := send()
	require.NoError(t, devnet.Chain.Reorg(t.Context(), 1))
	require.Eventually(t, func() bool {
		balance, err := devnet.Node.BalanceAt(t.Context(), common.Address{2}, nil)
		return err == nil && balance.Int64() == 2
	}, 20*time.Second, 5*time.Millisecond, "the bundler has sent %s again", lost.UserOpHash)
	send()
	head, err := devnet.Node.BlockNumber(t.Context())
	require.NoError(t, err)
	require.ErrorContains(t, devnet.Chain.Reorg(t.Context(), head), "stay")
}
