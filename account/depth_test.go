package account_test

import (
	"context"
	"maps"
	"math/big"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// deep are services that tell how deep the requests are that reach them: one is a step deeper than the
// deepest that was answered before it was made. They take a tick of a clock that goes on only once nothing
// else can, so that what is asked side by side begins side by side, on any machine.
type deep struct {
	erc7677 bool // the paymaster leaves the limits to the bundler
	root    common.Hash

	mu      sync.Mutex
	answers []answer
	asked   map[string]int
	nonces  map[uint256.Int]uint64 // by lane
	logs    []types.Log
	fees    userop.Fees
	// takes are the fees that the bundler takes at the least, and refuses is what it says to the next
	// operation, which it takes all the same if it swallows.
	takes    uint256.Int
	refuses  []error
	swallows bool
	sent     []*userop.Operation
}

type answer struct {
	at    time.Time
	depth int
}

const tick = time.Millisecond

func (d *deep) enter(what string) {
	d.mu.Lock()
	if d.asked == nil {
		d.asked = make(map[string]int)
	}
	d.asked[what]++
	depth, began := 1, time.Now()
	for _, a := range d.answers {
		if !a.at.After(began) {
			depth = max(depth, a.depth+1)
		}
	}
	d.mu.Unlock()
	time.Sleep(tick)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers = append(d.answers, answer{time.Now(), depth})
}

// reset forgets what was asked.
func (d *deep) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers, d.asked = nil, nil
}

// tally is how much was asked, by what it was. Who watches may ask while a test looks.
func (d *deep) tally() map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.asked)
}

// landed is how many operations the chain has.
func (d *deep) landed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.logs)
}

func (d *deep) depth() (deepest int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.answers {
		deepest = max(deepest, a.depth)
	}
	return deepest
}

func (d *deep) next(lane uint256.Int) *uint256.Int {
	nonce := new(uint256.Int).Lsh(&lane, 64)
	return nonce.AddUint64(nonce, d.nonces[lane])
}

// use has the chain count past a nonce for an operation of somebody else's.
func (d *deep) use(nonce uint256.Int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.include(&userop.Operation{Sender: deepUser, Nonce: nonce}, common.Hash{0xee, byte(len(d.logs))})
}

func (d *deep) include(op *userop.Operation, hash common.Hash) {
	d.nonces[*new(uint256.Int).Rsh(&op.Nonce, 64)]++
	nonce, success := op.Nonce.Bytes32(), common.Hash{31: 1}
	d.logs = append(d.logs, types.Log{
		Address:     contracts.Deployed().EntryPoint,
		Topics:      []common.Hash{contracts.UserOperationEventTopic, hash, common.BytesToHash(op.Sender[:]), {}},
		Data:        slices.Concat(nonce[:], success[:], make([]byte, 64)),
		BlockNumber: uint64(len(d.logs) + 1), TxHash: hash,
	})
}

func (d *deep) ChainID(context.Context) (*big.Int, error) {
	d.enter("chain ID of the node")
	return big.NewInt(accounttest.DefaultChainID), nil
}

func (d *deep) CodeAt(context.Context, common.Address, *big.Int) ([]byte, error) {
	d.enter("code")
	return []byte{0x60}, nil
}

func (d *deep) CallContract(_ context.Context, msg ethereum.CallMsg, _ *big.Int) ([]byte, error) {
	d.enter("call")
	d.mu.Lock()
	defer d.mu.Unlock()
	read := func(to common.Address, data []byte) []byte {
		if slices.Equal(data[:4], contracts.GetNonce(common.Address{}, uint256.Int{})[:4]) {
			nonce := d.next(*new(uint256.Int).SetBytes(data[36:68])).Bytes32()
			return nonce[:]
		}
		word, _ := answerRead(data, d.root)
		return word[:]
	}
	if msg.To != nil {
		return read(*msg.To, msg.Data), nil
	}
	reads, err := contracts.ParseReads(msg.Data)
	if err != nil {
		return nil, err
	}
	results := make([]contracts.ReadResult, len(reads))
	for i, r := range reads {
		results[i] = contracts.ReadResult{BlockTime: uint64(time.Now().Unix())}
		if oracle := r.To == contracts.GasPriceOracleAddress || r.To == contracts.ArbGasInfoAddress; !oracle {
			results[i].HasCode, results[i].OK, results[i].Data = true, true, read(r.To, r.Data)
		}
	}
	return contracts.PackReadResults(reads, results)
}

func (d *deep) BlockNumber(context.Context) (uint64, error) {
	d.enter("block number")
	d.mu.Lock()
	defer d.mu.Unlock()
	return uint64(len(d.logs)), nil
}

func (d *deep) FilterLogs(_ context.Context, query ethereum.FilterQuery) (found []types.Log, err error) {
	d.enter("logs")
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, log := range d.logs {
		if n := new(big.Int).SetUint64(log.BlockNumber); n.Cmp(query.FromBlock) >= 0 && n.Cmp(query.ToBlock) <= 0 {
			found = append(found, log)
		}
	}
	return found, nil
}

func (d *deep) HeaderByNumber(context.Context, *big.Int) (*types.Header, error) {
	d.enter("header")
	return &types.Header{Number: big.NewInt(1), BaseFee: big.NewInt(1_000_000_000)}, nil
}

func (d *deep) SuggestGasTipCap(context.Context) (*big.Int, error) {
	d.enter("tip")
	return big.NewInt(1_000_000_000), nil
}

func (d *deep) SuggestGasPrice(context.Context) (*big.Int, error) {
	d.enter("gas price")
	return big.NewInt(2_000_000_000), nil
}

// deepBundler and deepPaymaster are the services' other sides.
type deepBundler struct{ *deep }

func (b deepBundler) ChainID(context.Context) (uint64, error) {
	b.enter("chain ID of the bundler")
	return accounttest.DefaultChainID, nil
}

func (b deepBundler) SupportedEntryPoints(context.Context) ([]common.Address, error) {
	b.enter("EntryPoints")
	return []common.Address{contracts.Deployed().EntryPoint}, nil
}

func (b deepBundler) Fees(context.Context) (userop.Fees, error) {
	b.enter("fees")
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fees, nil
}

func (b deepBundler) EstimateUserOperationGas(_ context.Context, op *userop.Operation, _ common.Address, _ userop.StateOverride) (userop.Gas, error) {
	b.enter("estimate")
	b.mu.Lock()
	defer b.mu.Unlock()
	return userop.Gas{CallGasLimit: *uint256.NewInt(50_000), VerificationGasLimit: *uint256.NewInt(100_000), PreVerificationGas: *uint256.NewInt(50_000)}, b.judge(op)
}

func (d *deep) judge(op *userop.Operation) error {
	if op.MaxFeePerGas.Lt(&d.takes) {
		return &bundler.Error{Code: -32602, Message: "maxFeePerGas is too low"}
	}
	if next := d.next(*new(uint256.Int).Rsh(&op.Nonce, 64)); !op.Nonce.Eq(next) {
		return refusal("AA25 invalid account nonce")
	}
	return nil
}

func (b deepBundler) SendUserOperation(_ context.Context, op *userop.Operation, at common.Address) (common.Hash, error) {
	b.enter("send")
	b.mu.Lock()
	defer b.mu.Unlock()
	hash := op.Hash(at, accounttest.DefaultChainID)
	b.sent = append(b.sent, op.Clone())
	err := b.judge(op)
	if len(b.refuses) > 0 {
		told := b.refuses[0]
		if b.refuses = b.refuses[1:]; told != nil {
			if b.swallows {
				b.include(op, hash)
			}
			return common.Hash{}, told
		}
	}
	if err != nil {
		return common.Hash{}, err
	}
	b.include(op, hash)
	return hash, nil
}

func (b deepBundler) UserOperationReceipt(_ context.Context, hash common.Hash) (*userop.Receipt, error) {
	b.enter("receipt")
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, log := range b.logs {
		if log.Topics[1] == hash {
			return &userop.Receipt{UserOpHash: hash, Success: true, TransactionHash: log.TxHash, BlockNumber: log.BlockNumber}, nil
		}
	}
	return nil, userop.ErrNotFound
}

type deepPaymaster struct{ *deep }

func (p deepPaymaster) SponsorUserOperation(_ context.Context, op *userop.Operation, req userop.SponsorRequest) (userop.Sponsorship, error) {
	p.enter("sponsor")
	p.mu.Lock()
	defer p.mu.Unlock()
	answer := userop.Sponsorship{PaymasterAndData: append(common.Address{1}.Bytes(), 1)}
	if req.CalculateGasLimits && !p.erc7677 {
		answer.CallGasLimit, answer.VerificationGasLimit, answer.PreVerificationGas = uint256.NewInt(50_000), uint256.NewInt(100_000), uint256.NewInt(50_000)
	}
	if p.erc7677 {
		return answer, nil // which judges nothing
	}
	return answer, p.judge(op)
}

var deepUser = common.HexToAddress("0x1111111111111111111111111111111111111111")

// diver sends for one account through such services.
type diver struct {
	*deep
	client *account.Client
	leaf   session.LeafRef
	opts   []account.Option
}

func dive(t *testing.T, d *deep, opts ...account.Option) *diver {
	t.Helper()
	d.nonces = make(map[uint256.Int]uint64)
	d.fees = userop.Fees{MaxFeePerGas: *uint256.NewInt(2_000_000_000), MaxPriorityFeePerGas: *uint256.NewInt(1_000_000_000)}
	store := memstore.New()
	ref := session.Ref{ChainID: accounttest.DefaultChainID, Account: deepUser}
	key, err := store.NewKey(t.Context(), ref)
	require.NoError(t, err)
	minting := policy.ABI{Key: key, Contract: stranger, Function: "safeMint(address to)", Window: policy.Forever()}
	compiled, err := minting.Compile(policy.Modules{}.WithDefaults())
	require.NoError(t, err)
	leaf := session.Leaf{ID: "mint", Status: session.StatusActive, InTree: true, Key: key, Compiled: compiled}
	d.root = leaf.Hash()
	_, err = store.Apply(t.Context(), ref, 0, &session.Change{Header: session.Header{Root: d.root}, Put: []session.Leaf{leaf}})
	require.NoError(t, err)
	sess, err := session.Open(t.Context(), store, ref)
	require.NoError(t, err)
	client, err := account.NewClient(account.Config{ChainID: accounttest.DefaultChainID, Chain: d, Bundler: deepBundler{d}, Paymaster: deepPaymaster{d}})
	require.NoError(t, err)
	return &diver{d, client, sess.Leaf(0), opts}
}

func (d *diver) send(t *testing.T, opts ...account.Option) (*userop.Pending, error) {
	t.Helper()
	return d.client.Account(deepUser).Send(t.Context(), []account.Call{{To: stranger, Data: pack(t, "safeMint(address)", stranger)}},
		slices.Concat([]account.Option{account.WithSession(d.leaf)}, d.opts, opts)...)
}

// sendAndWait sends and waits, and returns how deep sending was.
func (d *diver) sendAndWait(t *testing.T, opts ...account.Option) int {
	t.Helper()
	d.reset()
	tx, err := d.send(t, opts...)
	require.NoError(t, err)
	depth := d.depth()
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	return depth
}

func TestHowManyRoundTripsASendIsDeep(t *testing.T) {
	for name, tt := range map[string]struct {
		erc7677    bool
		opts       []account.Option
		cold, warm int
	}{
		"sponsored": {false, []account.Option{account.Sponsored()}, 3, 2},
		"self-paid": {false, nil, 3, 2},
		"ERC-7677":  {true, []account.Option{account.Sponsored()}, 5, 4}, // a stub and an estimate besides
	} {
		for _, lane := range []bool{true, false} {
			t.Run(name+map[bool]string{true: ", in a lane", false: ""}[lane], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := dive(t, &deep{erc7677: tt.erc7677}, tt.opts...)
					var opts []account.Option
					if lane {
						lanes := d.client.NewLanes(account.LanesConfig{Size: 1})
						defer func() { require.NoError(t, lanes.Close(t.Context())) }()
						opts = append(opts, account.InLane(lanes))
					}
					require.Equal(t, tt.cold, d.sendAndWait(t, opts...), "cold")
					for range 3 {
						require.Equal(t, tt.warm, d.sendAndWait(t, opts...), "warm: %v", d.tally())
					}
					time.Sleep(3 * time.Second)
					require.Equal(t, tt.warm+1, d.sendAndWait(t, opts...), "what is remembered is too old: %v", d.tally())
				})
			})
		}
	}
}

// depthOf is how deep what is done is.
func (d *diver) depthOf(do func()) int {
	d.reset()
	do()
	return d.depth()
}

// nonces are those of the operations that the bundler was given.
func (d *diver) given() (nonces []uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, op := range d.sent {
		nonces = append(nonces, op.Nonce.Uint64())
	}
	return nonces
}

var allGas = account.WithGas(userop.Gas{
	CallGasLimit: *uint256.NewInt(50_000), VerificationGasLimit: *uint256.NewInt(100_000), PreVerificationGas: *uint256.NewInt(50_000),
})

// What is remembered of a nonce is for one operation, and for none while it is open what became of another.
// What is refused for what was remembered is made anew with what is read then, and lands once.
func TestWhatIsRememberedIsReadAgain(t *testing.T) {
	run := func(name string, test func(t *testing.T, d *diver), opts ...account.Option) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := dive(t, new(deep), opts...)
				d.sendAndWait(t)
				d.reset()
				test(t, d)
			})
		})
	}
	sends := func(t *testing.T, d *diver) *userop.Pending {
		t.Helper()
		tx, err := d.send(t)
		require.NoError(t, err)
		return tx
	}
	run("nobody waited for the last one", func(t *testing.T, d *diver) {
		require.Equal(t, 2, d.depthOf(func() { sends(t, d) }))
		require.Equal(t, 3, d.depthOf(func() { sends(t, d) }))
		require.Equal(t, []uint64{0, 1, 2}, d.given())
	}, account.Sponsored())
	run("what was not sent gives it back", func(t *testing.T, d *diver) {
		_, err := d.send(t, account.WithCaps(userop.Caps{CallGasLimit: uint256.NewInt(1)}))
		require.ErrorIs(t, err, userop.ErrCap)
		require.Equal(t, 2, d.depthOf(func() { sends(t, d) }))
	}, account.Sponsored())
	run("after a doubt", func(t *testing.T, d *diver) {
		d.refuses = []error{errLost, errLost, errLost}
		_, err := d.send(t)
		require.True(t, userop.MayBeAccepted(err))
		d.reset()
		_, err = sends(t, d).Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, d.tally()["call"], "the nonce")
		require.Equal(t, []uint64{0, 1, 1, 1, 1, 2}, d.given(), "the same bytes first")
		require.Equal(t, 3, d.landed())
	}, account.Sponsored())
	run("another process used it", func(t *testing.T, d *diver) {
		d.use(*uint256.NewInt(1))
		require.Equal(t, 4, d.depthOf(func() { sends(t, d) }), "sponsor, read, sponsor, send")
		require.Equal(t, []uint64{0, 2}, d.given())
	}, account.Sponsored())
	run("another process used it, as the bundler alone tells", func(t *testing.T, d *diver) {
		d.use(*uint256.NewInt(1))
		_, err := sends(t, d).Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, []uint64{0, 1, 2}, d.given())
		require.Equal(t, 3, d.landed())
	}, allGas)
	run("the bundler lies about the nonce", func(t *testing.T, d *diver) {
		d.refuses = []error{refusal("AA25 invalid account nonce")}
		_, err := d.send(t)
		require.True(t, userop.MayBeAccepted(err), "the chain does not show it used: %v", err)
		require.Equal(t, []uint64{0, 1}, d.given())
	}, allGas)
	dear := func(d *diver) {
		d.fees.MaxFeePerGas = *uint256.NewInt(3_000_000_000)
		d.takes = *uint256.NewInt(2_500_000_000)
	}
	run("the price rose", func(t *testing.T, d *diver) {
		dear(d)
		require.Equal(t, 4, d.depthOf(func() { sends(t, d) }))
		require.Equal(t, []uint64{0, 1}, d.given())
	}, account.Sponsored())
	run("the price rose, as the bundler alone tells", func(t *testing.T, d *diver) {
		dear(d)
		tx := sends(t, d)
		receipt, err := tx.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, tx.Hash(), receipt.UserOpHash)
		require.Len(t, tx.Operations(), 2, "either may land")
		require.Equal(t, []uint64{0, 1, 1, 1}, d.given())
		require.Equal(t, 2, d.landed())
	}, allGas)
	run("the price rose, and the dearer one is not taken either", func(t *testing.T, d *diver) {
		dear(d)
		d.refuses = []error{nil, nil, refusal("AA24 signature error"), refusal("AA24 signature error")}
		_, err := d.send(t)
		require.True(t, userop.MayBeAccepted(err), "the first may have been: %v", err)
	}, allGas)
	run("the price is as it was", func(t *testing.T, d *diver) {
		d.takes = *uint256.NewInt(2_500_000_000)
		_, err := d.send(t)
		require.ErrorContains(t, err, "maxFeePerGas is too low")
		require.False(t, userop.MayBeAccepted(err))
		require.Equal(t, 1, d.tally()["sponsor"])
		require.Equal(t, 1, d.tally()["fees"])
	}, account.Sponsored())
}
