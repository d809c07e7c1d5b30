package account_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// laneWorld is a chain and its bundler in memory, as far as nonces are concerned.
type laneWorld struct {
	mu      sync.Mutex
	nonces  map[common.Address]map[uint256.Int]uint64 // by lane
	pool    map[common.Hash]*userop.Operation         // accepted and not on chain
	landed  map[common.Hash]*userop.Operation
	dropped map[common.Hash]bool
	most    int   // operations that waited at once
	reads   int   // of a nonce
	looks   int   // at the nonces of several lanes
	asked   int   // whether an operation was dropped
	sendErr error // the bundler's answer to the next operation
	again   int   // and to so many after it
	away    bool  // they are lost on their way
	swallow bool  // the next operation is forgotten
	lookErr error
	// nonceErrors are operations that came with a nonce that is used, or in use.
	nonceErrors int
	accepted    int
	made        *account.Client
	logs        []types.Log // one for each block
	// fickle says that the bundler claims "dropped" of what waits still.
	fickle bool
	// refuses is why the EntryPoint would refuse any operation, empty where it takes all.
	refuses string
}

func newLaneWorld() *laneWorld {
	return &laneWorld{
		nonces:  make(map[common.Address]map[uint256.Int]uint64),
		pool:    make(map[common.Hash]*userop.Operation),
		landed:  make(map[common.Hash]*userop.Operation),
		dropped: make(map[common.Hash]bool),
	}
}

func (w *laneWorld) ChainID(context.Context) (*big.Int, error) { return big.NewInt(80002), nil }

func (w *laneWorld) CodeAt(context.Context, common.Address, *big.Int) ([]byte, error) {
	return []byte{0x60}, nil
}

// CallContract knows getNonce, and handleOps as a simulation.
func (w *laneWorld) CallContract(_ context.Context, msg ethereum.CallMsg, _ *big.Int) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if msg.To != nil && bytes.HasPrefix(msg.Data, contracts.HandleOps(nil, common.Address{})[:abi.SelectorSize]) {
		if w.refuses == "" {
			return nil, nil
		}
		data, err := abi.Pack("FailedOp(uint256,string)", 0, w.refuses)
		return nil, errors.Join(err, claim(hexutil.Encode(data)))
	}
	if msg.To != nil {
		w.reads++
		return w.getNonce(*msg.To, msg.Data), nil
	}
	w.looks++
	return answerReads(msg.Data, w.getNonce), w.lookErr
}

// answerReads answers a batched read: call answers each read's call.
func answerReads(request []byte, call func(to common.Address, data []byte) []byte) []byte {
	reads, err := contracts.ParseReads(request)
	if err != nil {
		panic(err)
	}
	results := make([]contracts.ReadResult, len(reads))
	for i, r := range reads {
		results[i] = contracts.ReadResult{HasCode: true, OK: true, Data: call(r.To, r.Data), BlockTime: uint64(time.Now().Unix())}
	}
	response, err := contracts.PackReadResults(reads, results)
	if err != nil {
		panic(err)
	}
	return response
}

// BlockNumber counts a block for each operation.
func (w *laneWorld) BlockNumber(context.Context) (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return uint64(len(w.logs)), nil
}

// FilterLogs knows what the EntryPoint logs of each operation, whatever is asked.
func (w *laneWorld) FilterLogs(_ context.Context, query ethereum.FilterQuery) (found []types.Log, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, log := range w.logs {
		if n := new(big.Int).SetUint64(log.BlockNumber); n.Cmp(query.FromBlock) >= 0 && n.Cmp(query.ToBlock) <= 0 {
			found = append(found, log)
		}
	}
	return found, nil
}

// log is what the EntryPoint logs of an operation.
func (w *laneWorld) log(op *userop.Operation, hash common.Hash) {
	nonce, success := op.Nonce.Bytes32(), common.Hash{31: 1}
	w.logs = append(w.logs, types.Log{
		Address:     contracts.Deployed().EntryPoint,
		Topics:      []common.Hash{contracts.UserOperationEventTopic, hash, common.BytesToHash(op.Sender[:]), {}},
		Data:        slices.Concat(nonce[:], success[:], make([]byte, 64)),
		BlockNumber: uint64(len(w.logs) + 1),
		TxHash:      common.Hash{1, 1},
	})
}

// getNonce answers other questions with zero.
func (w *laneWorld) getNonce(_ common.Address, data []byte) []byte {
	if !bytes.HasPrefix(data, contracts.GetNonce(common.Address{}, uint256.Int{})[:abi.SelectorSize]) {
		return make([]byte, abi.WordSize)
	}
	sender, key := common.BytesToAddress(data[4:36]), new(uint256.Int).SetBytes(data[36:68])
	nonce := w.next(sender, key).Bytes32()
	return nonce[:]
}

func (w *laneWorld) next(sender common.Address, key *uint256.Int) *uint256.Int {
	nonce := new(uint256.Int).Lsh(key, 64)
	return nonce.AddUint64(nonce, w.nonces[sender][*key])
}

// refusal is a bundler's error: surely not accepted.
type refusal string

func (r refusal) Error() string { return string(r) }

func (refusal) MayBeDelivered() bool { return false }

var errLost = errors.New("connection reset")

func (w *laneWorld) SendUserOperation(_ context.Context, op *userop.Operation, at common.Address) (common.Hash, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	hash := op.Hash(at, 80002)
	if err := w.sendErr; err != nil {
		if w.again--; w.again < 0 {
			w.sendErr, w.again = nil, 0
		}
		if _, done := w.landed[hash]; errors.Is(err, errLost) && !w.swallow && !w.away && !done {
			delete(w.dropped, hash)
			w.pool[hash] = op.Clone()
		}
		w.swallow = false
		return common.Hash{}, err
	}
	if _, known := w.pool[hash]; known { // already known
		return hash, nil
	}
	if _, done := w.landed[hash]; done {
		return common.Hash{}, refusal("AA25 invalid account nonce")
	}
	if next := w.next(op.Sender, new(uint256.Int).Rsh(&op.Nonce, 64)); !op.Nonce.Eq(next) {
		w.nonceErrors++
		return common.Hash{}, refusal(fmt.Sprintf("AA25 invalid account nonce: %s, not %s", op.Nonce.Hex(), next.Hex()))
	}
	for _, other := range w.pool {
		if other.Sender == op.Sender && other.Nonce == op.Nonce {
			w.nonceErrors++
			return common.Hash{}, refusal("replacement underpriced")
		}
	}
	w.accepted++
	delete(w.dropped, hash) // the same call with the same nonce is the same operation
	if !w.swallow {
		w.pool[hash] = op.Clone()
	}
	w.swallow = false
	w.most = max(w.most, len(w.pool))
	return hash, nil
}

// land includes operations that wait, or all of them.
func (w *laneWorld) land(hashes ...common.Hash) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(hashes) == 0 {
		hashes = slices.Collect(maps.Keys(w.pool))
	}
	for _, hash := range hashes {
		op, ok := w.pool[hash]
		if !ok {
			panic("no such operation waits")
		}
		delete(w.pool, hash)
		w.landed[hash] = op
		w.log(op, hash)
		if w.nonces[op.Sender] == nil {
			w.nonces[op.Sender] = make(map[uint256.Int]uint64)
		}
		w.nonces[op.Sender][*new(uint256.Int).Rsh(&op.Nonce, 64)]++
	}
}

// drop forgets an operation that waits.
func (w *laneWorld) drop(hash common.Hash) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.pool, hash)
	w.dropped[hash] = true
}

// counts returns how many nonces were read, and how often lanes were looked at.
func (w *laneWorld) counts() (reads, looks int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reads, w.looks
}

func (w *laneWorld) EstimateUserOperationGas(context.Context, *userop.Operation, common.Address, userop.StateOverride) (userop.Gas, error) {
	return userop.Gas{}, errOffline
}

func (w *laneWorld) UserOperationReceipt(_ context.Context, hash common.Hash) (*userop.Receipt, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.landed[hash]; !ok {
		return nil, userop.ErrNotFound
	}
	for _, log := range w.logs {
		if log.Topics[1] == hash {
			return &userop.Receipt{UserOpHash: hash, Success: true, BlockNumber: log.BlockNumber}, nil
		}
	}
	return nil, userop.ErrNotFound
}

// telling is a laneWorld whose bundler tells what it dropped.
type telling struct{ *laneWorld }

func (w telling) UserOperationDropped(_ context.Context, hash common.Hash) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	return w.dropped[hash] || w.fickle, nil
}

// client returns the one client of the world.
func (w *laneWorld) client(t testing.TB) *account.Client {
	if w.made == nil {
		w.made = clientWith(t, w, w)
	}
	return w.made
}

func clientWith(t testing.TB, chain account.Chain, bundler userop.Bundler) *account.Client {
	t.Helper()
	client, err := account.NewClient(account.Config{ChainID: 80002, Chain: chain, Bundler: bundler, UnidentifiedBundler: true})
	require.NoError(t, err)
	return client
}

// constSigner signs anything with the same bytes, after some thought.
type constSigner struct{ thought time.Duration }

func (constSigner) DummySignature(*userop.Operation) ([]byte, error) { return []byte{1}, nil }

func (s constSigner) Sign(context.Context, *userop.Operation, common.Hash) ([]byte, error) {
	if s.thought > 0 {
		time.Sleep(s.thought)
	}
	return []byte{2}, nil
}

// sendInLane sends something that needs no other answers than those about nonces.
func sendInLane(ctx context.Context, user *account.Account, lanes *account.Lanes, opts ...account.Option) (*userop.Pending, error) {
	return user.Send(ctx, []account.Call{{To: stranger}}, append(noServices(account.InLane(lanes), account.WithSigner(constSigner{})), opts...)...)
}

// noServices are options for an operation without estimate, fees and sponsor.
func noServices(opts ...account.Option) []account.Option {
	one := *uint256.NewInt(1)
	return append(opts, account.WithFees(userop.Fees{MaxFeePerGas: one}),
		account.WithGas(userop.Gas{CallGasLimit: one, VerificationGasLimit: one, PreVerificationGas: one}))
}

var laneUser = common.HexToAddress("0x1111111111111111111111111111111111111111")

// inLanes runs a test with fake time, and ends it with the lanes closed.
func inLanes(t *testing.T, cfg account.LanesConfig, test func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newLaneWorld()
		client := w.client(t)
		lanes := client.NewLanes(cfg)
		test(t, w, client.Account(laneUser), lanes)
		require.NoError(t, lanes.Close(t.Context()))
	})
}

func mustSend(t *testing.T, user *account.Account, lanes *account.Lanes) *userop.Pending {
	t.Helper()
	tx, err := sendInLane(t.Context(), user, lanes)
	require.NoError(t, err)
	return tx
}

func laneOf(tx *userop.Pending) uint256.Int {
	return *new(uint256.Int).Rsh(&tx.Operation().Nonce, 64)
}

func TestConcurrentSendsNeverCollide(t *testing.T) {
	inLanes(t, account.LanesConfig{Size: 10}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
		const sends = 200
		start := time.Now()
		group, ctx := errgroup.WithContext(t.Context())
		for range sends {
			group.Go(func() error {
				tx, err := sendInLane(ctx, user, lanes)
				if err != nil {
					return err
				}
				_, err = tx.Wait(ctx)
				return err
			})
		}
		done := make(chan struct{})
		go func() {
			for range time.Tick(time.Second) {
				w.land()
				if len(w.landed) == sends {
					close(done)
					return
				}
			}
		}()
		require.NoError(t, group.Wait())
		<-done
		require.Equal(t, 10, w.most, "as many as the lanes are")
		require.Len(t, w.nonces[laneUser], 10)
		require.Less(t, time.Since(start), 45*time.Second, "20 rounds of a second and the way to see them")
		reads, _ := w.counts()
		require.Zero(t, reads, "nobody has to ask for the nonce of a lane that it made, or saw counted")
	})
}

func TestALaneIsUsedAgainOnceItsOperationWasSeenIncluded(t *testing.T) {
	inLanes(t, account.LanesConfig{}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
		first := mustSend(t, user, lanes)
		for n := range uint64(5) {
			w.land()
			_, err := first.Wait(t.Context())
			require.NoError(t, err)
			next := mustSend(t, user, lanes)
			require.Equal(t, laneOf(first), laneOf(next))
			require.Equal(t, n+1, next.Operation().Nonce.Uint64())
			first = next
		}
		reads, looks := w.counts()
		require.Zero(t, reads+looks)
		require.NotEqual(t, laneOf(first), laneOf(mustSend(t, user, lanes)), "a lane has one operation at a time")
		other, err := sendInLane(t.Context(), w.client(t).Account(stranger), lanes)
		require.NoError(t, err)
		require.NotEqual(t, laneOf(first), laneOf(other))
	})
}

func TestLanesOfOperationsThatNobodyWaitsFor(t *testing.T) {
	inLanes(t, account.LanesConfig{Size: 2}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
		for range 10 {
			mustSend(t, user, lanes)
			w.land()
		}
		require.Len(t, w.landed, 10)
		require.Len(t, w.nonces[laneUser], 2)
		reads, looks := w.counts()
		require.Zero(t, reads)
		require.LessOrEqual(t, looks, 8, "a look frees all lanes that it can")
	})
}

func TestALaneHealsAfterADrop(t *testing.T) {
	t.Run("seen by the wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newLaneWorld()
			client := clientWith(t, w, telling{w})
			lanes := client.NewLanes(account.LanesConfig{Size: 1})
			tx := mustSend(t, client.Account(laneUser), lanes)
			w.drop(tx.Hash())
			_, err := tx.Wait(t.Context())
			require.ErrorIs(t, err, userop.ErrDropped)
			require.True(t, userop.MayBeAccepted(err))
			next := mustSend(t, client.Account(laneUser), lanes)
			require.NotEqual(t, laneOf(tx), laneOf(next), "the nonce is not free on the bundler's word")
		})
	})
	t.Run("nobody waited, the bundler tells", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newLaneWorld()
			client := clientWith(t, w, telling{w})
			lanes := client.NewLanes(account.LanesConfig{Size: 3})
			var sent []*userop.Pending
			for range 3 {
				sent = append(sent, mustSend(t, client.Account(laneUser), lanes))
			}
			w.drop(sent[1].Hash())
			start := time.Now()
			next := mustSend(t, client.Account(laneUser), lanes)
			for _, tx := range sent {
				require.NotEqual(t, laneOf(tx), laneOf(next), "what was dropped may land: its nonce stays its own")
			}
			require.Less(t, time.Since(start), 7*time.Second)
			require.LessOrEqual(t, w.asked, 3, "each was asked about once at most")
		})
	})
	t.Run("nobody tells", func(t *testing.T) {
		inLanes(t, account.LanesConfig{Size: 1, Patience: time.Minute}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
			w.swallow = true
			lost := mustSend(t, user, lanes)
			start := time.Now()
			next := mustSend(t, user, lanes)
			require.InDelta(t, time.Minute, time.Since(start), float64(3*time.Second))
			require.NotEqual(t, laneOf(lost), laneOf(next), "the old one may land after all")
			w.land()
			_, err := next.Wait(t.Context())
			require.NoError(t, err)
			require.Equal(t, laneOf(next), laneOf(mustSend(t, user, lanes)))
		})
	})
}

// lose sends something that is in doubt afterwards: its answer got lost, and itself where it never arrived.
func (w *laneWorld) lose(t *testing.T, user *account.Account, lanes *account.Lanes, arrives bool, opts ...account.Option) *userop.Operation {
	t.Helper()
	w.sendErr, w.again = errLost, 2
	w.away = !arrives
	_, err := sendInLane(t.Context(), user, lanes, opts...)
	w.away = false
	require.ErrorIs(t, err, errLost)
	require.True(t, userop.MayBeAccepted(err))
	var failed *userop.Error
	require.ErrorAs(t, err, &failed)
	return failed.Operation
}

func TestALaneInDoubtIsSettledByWhoeverNeedsIt(t *testing.T) {
	for _, arrives := range []bool{false, true} {
		t.Run(fmt.Sprintf("arrived %t", arrives), func(t *testing.T) {
			inLanes(t, account.LanesConfig{Size: 4}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
				var lost []*userop.Operation
				for i := range 4 {
					lost = append(lost, w.lose(t, user, lanes, arrives, account.WithFees(userop.Fees{MaxFeePerGas: *uint256.NewInt(uint64(i + 1))})))
				}
				start := time.Now()
				for range 4 {
					next := mustSend(t, user, lanes)
					for _, op := range lost {
						key := new(uint256.Int).Rsh(&op.Nonce, 64)
						require.NotEqual(t, *key, laneOf(next), "the nonce of a doubt stays its own")
					}
				}
				require.Less(t, time.Since(start), 5*time.Second)
				require.Zero(t, w.nonceErrors)
				w.land()
				for _, op := range lost {
					require.Contains(t, w.landed, hashOf(op), "it was sent again")
				}
			})
		})
	}
	t.Run("lost from the mempool", func(t *testing.T) {
		inLanes(t, account.LanesConfig{Size: 1}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
			w.swallow = true
			lost := mustSend(t, user, lanes)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := lost.Wait(ctx)
			require.True(t, userop.MayBeAccepted(err))
			start := time.Now()
			next := mustSend(t, user, lanes)
			require.Less(t, time.Since(start), time.Second)
			require.NotEqual(t, laneOf(lost), laneOf(next))
			require.Contains(t, w.pool, lost.Hash(), "it was sent again")
		})
	})
	t.Run("on chain", func(t *testing.T) {
		inLanes(t, account.LanesConfig{Size: 1}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
			lost := w.lose(t, user, lanes, true)
			w.land()
			next := mustSend(t, user, lanes)
			require.Equal(t, new(uint256.Int).AddUint64(&lost.Nonce, 1), &next.Operation().Nonce, "its lane is free")
		})
	})
}

// Outside of lanes, too, the nonce of a doubt is not given to another operation.
func TestADoubtKeepsItsNonce(t *testing.T) {
	for _, arrives := range []bool{false, true} {
		for _, chosen := range []bool{false, true} {
			t.Run(fmt.Sprintf("arrived %t, lane chosen %t", arrives, chosen), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newLaneWorld()
					user := w.client(t).Account(laneUser)
					send := func(price uint64, opts ...account.Option) (*userop.Pending, error) {
						opts = append(noServices(opts...), account.WithSigner(constSigner{}), account.WithFees(userop.Fees{MaxFeePerGas: *uint256.NewInt(price)}))
						if chosen {
							opts = append(opts, account.WithLane(uint256.NewInt(5)))
						}
						return user.Send(t.Context(), []account.Call{{To: stranger}}, opts...)
					}
					w.sendErr, w.again, w.away = errLost, 2, !arrives
					_, err := send(1)
					require.True(t, userop.MayBeAccepted(err))
					var failed *userop.Error
					require.ErrorAs(t, err, &failed)

					w.sendErr, w.again = errLost, 2 // the doubt stays one
					second, err := send(2)
					if w.away = false; chosen {
						require.ErrorContains(t, err, "belongs to operation "+failed.Hash.Hex()+", which may still be included: wait for that one, choose another lane, or replace it by WithNonce")
						require.False(t, userop.MayBeAccepted(err))
						require.True(t, userop.SafeToRetry(err))
					} else {
						require.NoError(t, err)
						require.NotEqual(t, uint256.Int{}, laneOf(second))
						_, err = send(3) // the first is sent again, and known now
						require.NoError(t, err)
					}
					require.Zero(t, w.nonceErrors)
					if chosen {
						_, err = send(3)
						require.ErrorContains(t, err, "belongs to operation")
						require.Contains(t, w.pool, failed.Hash, "it was sent again")
					}
					w.land()
					require.Contains(t, w.landed, failed.Hash)
					last, err := send(4)
					require.NoError(t, err)
					require.EqualValues(t, 1, last.Operation().Nonce.Uint64(), "in its lane again")
				})
			})
		}
	}
	synctest.Test(t, func(t *testing.T) { // the caller asks for a replacement
		w := newLaneWorld()
		user := w.client(t).Account(laneUser)
		send := func(opts ...account.Option) error {
			_, err := user.Send(t.Context(), []account.Call{{To: stranger}}, append(noServices(opts...), account.WithSigner(constSigner{}))...)
			return err
		}
		w.sendErr, w.again, w.away = errLost, 2, true
		require.ErrorIs(t, send(), errLost)
		require.NoError(t, send(account.WithNonce(new(uint256.Int))))
		require.Len(t, w.pool, 1)
	})
}

// An operation with a nonce of the caller's is in doubt like any other, and so is one that was accepted and
// waited for in vain.
func TestADoubtOfAChosenNonce(t *testing.T) {
	for _, accepted := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newLaneWorld()
			user := w.client(t).Account(laneUser)
			send := func(opts ...account.Option) (*userop.Pending, error) {
				return user.Send(t.Context(), []account.Call{{To: stranger}}, append(noServices(opts...), account.WithSigner(constSigner{}))...)
			}
			if !accepted {
				w.sendErr, w.again, w.away = errLost, 2, true
			}
			first, err := send(account.WithNonce(new(uint256.Int)))
			if accepted {
				require.NoError(t, err)
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				_, err = first.Wait(ctx)
			}
			require.True(t, userop.MayBeAccepted(err))
			next, err := send(account.WithFees(userop.Fees{MaxFeePerGas: *uint256.NewInt(2)}))
			require.NoError(t, err)
			require.NotEqual(t, uint256.Int{}, laneOf(next), "its nonce stays its own")
		})
	}
}

func TestARefusedOperationFreesItsLane(t *testing.T) {
	inLanes(t, account.LanesConfig{Size: 2}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
		w.sendErr, w.refuses = refusal("AA24 signature error"), "AA24 signature error"
		_, err := sendInLane(t.Context(), user, lanes)
		require.ErrorContains(t, err, "AA24")
		require.False(t, userop.MayBeAccepted(err))
		tx := mustSend(t, user, lanes)
		require.Zero(t, tx.Operation().Nonce.Uint64())
		reads, _ := w.counts()
		require.Equal(t, 1, reads, "after a refusal the nonce is not taken for granted")
		w.land()
		_, err = tx.Wait(t.Context())
		require.NoError(t, err)

		// Somebody else counts in that lane.
		key := laneOf(tx)
		_, err = user.Send(t.Context(), []account.Call{{To: laneUser}}, noServices(account.WithLane(&key), account.WithSigner(constSigner{}))...)
		require.NoError(t, err)
		w.land()
		healed := mustSend(t, user, lanes)
		require.EqualValues(t, 2, healed.Operation().Nonce.Uint64(), "refused with the nonce that the lane had, and read again")
		require.Len(t, healed.Operations(), 1, "the one before will not land")
	})
}

func TestARefusedLaneComesAfterTheOthers(t *testing.T) {
	inLanes(t, account.LanesConfig{Size: 2}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
		sent := []*userop.Pending{mustSend(t, user, lanes), mustSend(t, user, lanes)}
		w.land()
		for _, tx := range sent {
			_, err := tx.Wait(t.Context())
			require.NoError(t, err)
		}
		w.sendErr, w.refuses = refusal("AA23 reverted"), "AA23 reverted"
		_, err := sendInLane(t.Context(), user, lanes)
		require.Error(t, err)
		require.Equal(t, laneOf(sent[0]), laneOf(mustSend(t, user, lanes)))
		require.Equal(t, laneOf(sent[1]), laneOf(mustSend(t, user, lanes)))
	})
}

func TestWaitingForALaneEnds(t *testing.T) {
	inLanes(t, account.LanesConfig{Size: 1}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
		mustSend(t, user, lanes)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := sendInLane(ctx, user, lanes)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualError(t, err, "user operation of "+laneUser.Hex()+": prepare: lane of account "+laneUser.Hex()+
			": all 1 are in use; wait for their operations, or make more lanes if the bundler takes more: context deadline exceeded")
		require.False(t, userop.MayBeAccepted(err))

		w.lookErr = errOffline
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = sendInLane(ctx, user, lanes)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "(last look at the chain: nonces of account "+laneUser.Hex()+" on chain 80002: nothing may be asked here)")
		w.lookErr = nil

		waiting := make(chan error)
		go func() {
			_, err := sendInLane(context.Background(), user, lanes)
			waiting <- err
		}()
		synctest.Wait()
		require.NoError(t, lanes.Close(t.Context()))
		require.ErrorIs(t, <-waiting, account.ErrLanesClosed)
		_, err = sendInLane(t.Context(), user, lanes)
		require.ErrorIs(t, err, account.ErrLanesClosed)
		require.ErrorContains(t, err, ": lanes are closed; make others with NewLanes")
		require.NoError(t, lanes.Close(t.Context()), "twice is fine")
	})
}

func TestLanesAreServedInOrder(t *testing.T) {
	inLanes(t, account.LanesConfig{Size: 1}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
		mustSend(t, user, lanes)
		served := make(chan int, 10)
		var impatient context.CancelFunc
		for n := range 10 {
			ctx := t.Context()
			if n == 3 {
				ctx, impatient = context.WithCancel(ctx)
				defer impatient()
			}
			go func() {
				if _, err := sendInLane(ctx, user, lanes); err == nil {
					served <- n
				}
			}()
			synctest.Wait()
		}
		impatient()
		for range 9 {
			w.land()
			time.Sleep(3 * time.Second)
		}
		synctest.Wait()
		close(served)
		require.Equal(t, []int{0, 1, 2, 4, 5, 6, 7, 8, 9}, slices.Collect(func(yield func(int) bool) {
			for n := range served {
				yield(n)
			}
		}))
		_, looks := w.counts()
		require.Less(t, looks, 60, "one looks for all")
	})
}

func TestALaneThatComesTooLateIsNotLost(t *testing.T) {
	inLanes(t, account.LanesConfig{Size: 1}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
		late := 0
		for range 100 {
			held, err := lanes.Reserve(t.Context(), laneUser)
			require.NoError(t, err)
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				next, err := lanes.Reserve(ctx, laneUser)
				if err != nil {
					late++
					return
				}
				next.Release(false)
			}()
			time.Sleep(time.Second)
			held.Release(false)
			synctest.Wait()
		}
		require.NotZero(t, late)
		mustSend(t, user, lanes)
	})
}

func TestBuildingInALaneUsesItsNonce(t *testing.T) {
	inLanes(t, account.LanesConfig{}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
		opts := noServices(account.InLane(lanes), account.WithSigner(constSigner{}))
		built, err := user.Build(t.Context(), []account.Call{{To: stranger}}, opts...)
		require.NoError(t, err)
		require.NotEqual(t, built.Nonce, mustSend(t, user, lanes).Operation().Nonce)
	})
}

func TestLanesForgetAccounts(t *testing.T) {
	inLanes(t, account.LanesConfig{Patience: time.Minute}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
		for n := range 100 {
			_, err := sendInLane(t.Context(), w.client(t).Account(common.BigToAddress(big.NewInt(int64(n+1)))), lanes)
			require.NoError(t, err)
		}
		require.Equal(t, 100, lanes.Accounts())
		time.Sleep(time.Minute)
		mustSend(t, user, lanes)
		require.Equal(t, 101, lanes.Accounts())
		time.Sleep(time.Minute + time.Second)
		mustSend(t, user, lanes)
		require.Equal(t, 1, lanes.Accounts())
	})
}

func TestLaneOptions(t *testing.T) {
	w := newLaneWorld()
	client := w.client(t)
	user, lanes := client.Account(laneUser), client.NewLanes(account.LanesConfig{})
	for want, opt := range map[string]account.Option{
		"WithNonce, WithLane and InLane each choose the nonce; use one": account.WithNonce(new(uint256.Int)),
		"WithNonce, WithLane and InLane each choose the nonce":          account.WithLane(uint256.NewInt(1)),
		"InLane without lanes":      account.InLane(nil),
		"WithNonce without a nonce": account.WithNonce(nil),
		"WithLane without a key":    account.WithLane(nil),
	} {
		_, err := sendInLane(t.Context(), user, lanes, opt)
		require.ErrorIs(t, err, account.ErrConfig)
		require.ErrorContains(t, err, want)
	}
	tooLong := new(uint256.Int).Lsh(uint256.NewInt(1), 192)
	_, err := user.Build(t.Context(), []account.Call{{To: stranger}}, noServices(account.WithLane(tooLong), account.WithSigner(constSigner{}))...)
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "lane key has 193 bits, at most 192 fit")
	_, err = user.Nonce(t.Context(), tooLong)
	require.ErrorIs(t, err, policy.ErrInvalid)
	require.EqualError(t, err, "invalid input: nonce of "+laneUser.Hex()+": lane key has 193 bits, at most 192 fit")
	reads, _ := w.counts()
	require.Zero(t, reads)

	_, err = sendInLane(t.Context(), user, clientWith(t, w, w).NewLanes(account.LanesConfig{}))
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "InLane with the lanes of another client")

	owned := client.OwnedAccount(account.KeyOwner(exampleKey), account.Multichain())
	_, err = account.SendTogether(t.Context(), account.Leg{Account: owned, Calls: []account.Call{{To: stranger}}, Options: []account.Option{account.InLane(lanes)}})
	require.ErrorIs(t, err, account.ErrConfig)
	require.ErrorContains(t, err, "operations that are signed together take no turns, give the leg a lane with WithLane")
	require.Zero(t, w.accepted)
}

func TestFault12AnOverrideOfZeroIsZero(t *testing.T) {
	w := newLaneWorld()
	w.nonces[laneUser] = map[uint256.Int]uint64{{}: 7}
	user := w.client(t).Account(laneUser)
	opts := noServices(account.WithSigner(constSigner{}))
	op, err := user.Build(t.Context(), []account.Call{{To: stranger}}, append(opts, account.WithNonce(new(uint256.Int)))...)
	require.NoError(t, err)
	require.True(t, op.Nonce.IsZero())
	reads, _ := w.counts()
	require.Zero(t, reads, "a nonce that is given is not read")
	op, err = user.Build(t.Context(), []account.Call{{To: stranger}}, opts...)
	require.NoError(t, err)
	require.Equal(t, "7", op.Nonce.Dec())

	lane := uint256.NewInt(1)
	op, err = user.Build(t.Context(), []account.Call{{To: stranger}}, append(opts, account.WithLane(lane))...)
	require.NoError(t, err)
	require.Equal(t, lane.Lsh(lane, 64), &op.Nonce)
}

func TestLeasedLanes(t *testing.T) {
	const patience = time.Minute
	synctest.Test(t, func(t *testing.T) {
		w, store := newLaneWorld(), memstore.New()
		client := w.client(t)
		user := client.Account(laneUser)
		cfg := account.LanesConfig{Patience: patience, Leaser: store}
		first, second := client.NewLanes(cfg), client.NewLanes(cfg)

		a, b := mustSend(t, user, first), mustSend(t, user, second)
		require.NotEqual(t, laneOf(a), laneOf(b))
		w.land()
		for _, tx := range []*userop.Pending{a, b} {
			_, err := tx.Wait(t.Context())
			require.NoError(t, err)
		}
		busy := mustSend(t, user, first)
		require.Equal(t, laneOf(a), laneOf(busy))
		// The second process ends. What it had is given back, and goes to the next one, which reads the
		// nonce.
		require.NoError(t, second.Close(t.Context()))
		third := client.NewLanes(cfg)
		c := mustSend(t, user, third)
		require.Equal(t, laneOf(b), laneOf(c))
		require.EqualValues(t, 1, c.Operation().Nonce.Uint64())

		// The first one ends with an operation on its way: its lane is not leased again before that has
		// landed or is given up.
		require.NoError(t, first.Close(t.Context()))
		time.Sleep(patience - time.Second)
		require.NotContains(t, []uint256.Int{laneOf(a), laneOf(c)}, laneOf(mustSend(t, user, third)))
		w.land(busy.Hash())
		time.Sleep(patience + 2*time.Second)
		d := mustSend(t, user, third)
		require.Equal(t, laneOf(a), laneOf(d))
		require.EqualValues(t, 2, d.Operation().Nonce.Uint64())
		require.NoError(t, third.Close(t.Context()))
	})
}

func TestLeasesAreRenewedWhileTheLanesAreUsed(t *testing.T) {
	const patience = time.Minute
	store := memstore.New()
	inLanes(t, account.LanesConfig{Patience: patience, Leaser: store}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
		tx := mustSend(t, user, lanes)
		for n := range uint64(20) {
			w.land()
			_, err := tx.Wait(t.Context())
			require.NoError(t, err)
			time.Sleep(25 * time.Second)
			next := mustSend(t, user, lanes)
			require.Equal(t, laneOf(tx), laneOf(next))
			require.Equal(t, n+1, next.Operation().Nonce.Uint64())
			tx = next
		}
		reads, _ := w.counts()
		require.Equal(t, 1, reads, "a lane that was leased may have been used before")
	})
}

func TestALostLeaseMakesNoOperation(t *testing.T) {
	const patience = time.Minute
	store := memstore.New()
	ref := session.Ref{ChainID: 80002, Account: laneUser}
	inLanes(t, account.LanesConfig{Size: 1, Patience: patience, Leaser: store}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
		tx := mustSend(t, user, lanes)
		w.land()
		_, err := tx.Wait(t.Context())
		require.NoError(t, err)
		time.Sleep(2 * patience)
		// Another process has got it by now.
		stolen, err := store.LeaseLane(t.Context(), ref, "thief", time.Hour)
		require.NoError(t, err)
		require.Equal(t, laneOf(tx), stolen)
		other := mustSend(t, user, lanes)
		require.NotEqual(t, stolen, laneOf(other))
		w.land()
		_, err = other.Wait(t.Context())
		require.NoError(t, err)

		// Signing takes so long that the lease might end before the operation lands.
		sent := w.accepted
		_, err = sendInLane(t.Context(), user, lanes, account.WithSigner(constSigner{thought: patience}))
		require.ErrorIs(t, err, session.ErrLaneLost)
		require.ErrorContains(t, err, "sign: lane lost: the lease of lane ")
		require.ErrorContains(t, err, "making the operation took too long; send it again")
		require.Equal(t, sent, w.accepted, "it was not sent")
		require.False(t, userop.MayBeAccepted(err))

		_, err = sendInLane(t.Context(), user, lanes)
		require.NoError(t, err, "the lease is renewed")
	})
}

func TestClosingLanesThatSomebodyElseHasByNow(t *testing.T) {
	store := memstore.New()
	ref := session.Ref{ChainID: 80002, Account: laneUser}
	inLanes(t, account.LanesConfig{Patience: time.Minute, Leaser: store}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
		tx := mustSend(t, user, lanes)
		w.land()
		_, err := tx.Wait(t.Context())
		require.NoError(t, err)
		time.Sleep(2 * time.Minute)
		next, err := store.LeaseLane(t.Context(), ref, "next", time.Hour)
		require.NoError(t, err)
		require.NoError(t, lanes.Close(t.Context()), "there is nothing to give back")
		require.NoError(t, store.RenewLane(t.Context(), ref, next, "next", time.Hour), "it stays with whoever has it")
	})
}

func TestALeaserOutOfReach(t *testing.T) {
	store := memstore.New()
	inLanes(t, account.LanesConfig{Size: 1, Leaser: deadLeaser{store}}, func(t *testing.T, w *laneWorld, user *account.Account, lanes *account.Lanes) {
		for range 2 {
			_, err := sendInLane(t.Context(), user, lanes)
			require.ErrorIs(t, err, errOffline)
			require.ErrorContains(t, err, "prepare: lease a lane of account "+laneUser.Hex()+" on chain 80002: nothing may be asked here")
		}
	})
}

// deadLeaser is a store that cannot be reached.
type deadLeaser struct{ session.LaneLeaser }

func (deadLeaser) LeaseLane(context.Context, session.Ref, string, time.Duration) (uint256.Int, error) {
	return uint256.Int{}, errOffline
}
