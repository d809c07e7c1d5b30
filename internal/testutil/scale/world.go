package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/pgstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
)

// world is a model of a chain, a database, and one process between them.
type world struct {
	*options
	model  *accounttest.Model
	chain  *counted
	pool   *pgxpool.Pool // to look around; the store has its own
	store  *pgstore.Store
	client *account.Client
	lanes  *account.Lanes
	users  []common.Address

	mu            sync.Mutex
	sends         []send
	failed        map[string]int
	before, after reading
}

func newWorld(ctx context.Context, o *options, url string) (w *world, err error) {
	w = &world{options: o, model: accounttest.NewModel(accounttest.ModelConfig{Deposit: new(big.Int).Lsh(big.NewInt(1), 90)}), failed: make(map[string]int)}
	w.chain = &counted{ModelChain: w.model.Chain}
	key := make([]byte, seal.KeySize)
	_, _ = rand.Read(key) // which never fails
	sealer, err := seal.NewKeyAEAD(key)
	if err != nil {
		return nil, err
	}
	if w.pool, err = pgxpool.New(ctx, url); err != nil {
		return nil, err
	}
	if w.store, err = pgstore.Open(ctx, url, pgstore.Config{Sealer: sealer}); err != nil {
		w.pool.Close()
		return nil, err
	}
	cfg := w.model.Config()
	cfg.Chain, cfg.Outbox, cfg.Freshness = w.chain, w.store, 0 // as in earnest: 2 seconds
	if w.client, err = account.NewClient(cfg); err != nil {
		return nil, errors.Join(err, w.close())
	}
	w.lanes = w.client.NewLanes(account.LanesConfig{Leaser: w.store})
	return w, nil
}

func (w *world) close() (err error) {
	if w.lanes != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err = w.lanes.Close(ctx)
	}
	w.pool.Close()
	return errors.Join(err, w.store.Close())
}

// enrol has the users grant.
func (w *world) enrol(ctx context.Context) error {
	w.users = make([]common.Address, w.options.users)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range w.users {
		group.Go(func() error {
			owner, err := w.model.NewOwner(ctx)
			if err != nil {
				return err
			}
			key, err := w.store.NewKey(ctx, owner.Ref())
			if err != nil {
				return err
			}
			sess, tx, err := owner.Grant(ctx, w.store, []policy.Policy{policy.ABI{
				Key: key, Contract: w.model.Contracts.NFT, Function: "safeMint(address to)",
				Rules:  []policy.Rule{policy.Arg("to", policy.Equal, owner.Address())},
				Window: policy.Until(time.Now().Add(24 * time.Hour)),
			}}, account.Sponsored())
			if err != nil {
				return err
			}
			w.users[i] = owner.Address()
			_, err = sess.Activate(ctx, tx)
			return err
		})
	}
	return group.Wait()
}

// portion is how many accounts are made in one statement.
const portion = 50_000

// fill puts further accounts into the database: the rows of the first user, with their checksums, at other
// addresses. Their keys are not theirs: nobody sends for them.
func (w *world) fill(ctx context.Context) error {
	const addresses = `(select substring(sha256(int8send(n)) for 20) as at from generate_series($2::bigint, $3::bigint) as n) as more`
	for from := 1; from <= w.accounts; from += portion {
		for _, insert := range []string{
			`insert into sesame_sessions (chain_id, account, version, leaves, root, tree_order, changed_at, pending_until, landed, checksum)
				select chain_id, more.at, version, leaves, root, tree_order, changed_at, pending_until, landed,
					sesame_session_sum(chain_id, more.at, version, leaves, root, tree_order, null, null, null, null, null, null, pending_until, landed)
				from sesame_sessions, ` + addresses + ` where account = $1`,
			`insert into sesame_leaves (chain_id, account, position, id, status, in_tree, valid_until, valid_after, module, key, data, function, checksum)
				select chain_id, more.at, position, id, status, in_tree, valid_until, valid_after, module, more.at, data, function,
					sesame_leaf_sum(chain_id, more.at, position, id, status, in_tree, valid_until, valid_after, module, more.at, data, function)
				from sesame_leaves, ` + addresses + ` where account = $1`,
			`insert into sesame_keys (chain_id, account, address, data_key, sealed, created_at, checksum)
				select chain_id, more.at, more.at, data_key, sealed, created_at, sesame_key_sum(chain_id, more.at, more.at, data_key, sealed)
				from sesame_keys, ` + addresses + ` where account = $1`,
		} {
			if _, err := w.pool.Exec(ctx, insert, w.users[0].Bytes(), from, min(from+portion-1, w.accounts)); err != nil {
				return fmt.Errorf("fill the database: %w", err)
			}
		}
	}
	_, err := w.pool.Exec(ctx, "vacuum analyze")
	return err
}

// mint mints for a user, once under the key.
func (w *world) mint(ctx context.Context, address common.Address, key string) error {
	user := w.client.Account(address)
	sess, err := session.Open(ctx, w.store, user.Ref())
	if err != nil {
		return err
	}
	data, err := abi.Pack("function safeMint(address to)", address)
	if err != nil {
		return err
	}
	tx, err := user.Send(ctx, []account.Call{{To: w.model.Contracts.NFT, Data: data}},
		account.WithLeafOf(sess), account.Sponsored(), account.InLane(w.lanes), account.Once(key))
	if err != nil {
		return err
	}
	_, err = tx.Wait(ctx)
	return err
}

// counted counts the requests to the node.
type counted struct {
	*accounttest.ModelChain
	requests atomic.Int64
}

func (c *counted) ChainID(ctx context.Context) (*big.Int, error) {
	c.requests.Add(1)
	return c.ModelChain.ChainID(ctx)
}

func (c *counted) CodeAt(ctx context.Context, address common.Address, block *big.Int) ([]byte, error) {
	c.requests.Add(1)
	return c.ModelChain.CodeAt(ctx, address, block)
}

func (c *counted) CallContract(ctx context.Context, call ethereum.CallMsg, block *big.Int) ([]byte, error) {
	c.requests.Add(1)
	return c.ModelChain.CallContract(ctx, call, block)
}

func (c *counted) BlockNumber(ctx context.Context) (uint64, error) {
	c.requests.Add(1)
	return c.ModelChain.BlockNumber(ctx)
}

func (c *counted) FilterLogs(ctx context.Context, query ethereum.FilterQuery) ([]types.Log, error) {
	c.requests.Add(1)
	return c.ModelChain.FilterLogs(ctx, query)
}

func (c *counted) HeaderByNumber(ctx context.Context, block *big.Int) (*types.Header, error) {
	c.requests.Add(1)
	return c.ModelChain.HeaderByNumber(ctx, block)
}

func (c *counted) SuggestGasPrice(ctx context.Context) (*big.Int, error) {
	c.requests.Add(1)
	return c.ModelChain.SuggestGasPrice(ctx)
}

func (c *counted) SuggestGasTipCap(ctx context.Context) (*big.Int, error) {
	c.requests.Add(1)
	return c.ModelChain.SuggestGasTipCap(ctx)
}

func balanceOf(user common.Address) ([]byte, error) {
	return abi.Pack("function balanceOf(address holder) view returns (uint256)", user)
}
