package account_test

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
)

// onContracts are the examples of what a model of the chain does not know.
const onContracts = "^ExampleReadContracts$"

// TestMain leaves the examples out that run on the contracts where those are not installed, as the tests are.
func TestMain(m *testing.M) {
	if !haveContracts() && os.Getenv("SESAME_REQUIRE_CONTRACTS") != "1" {
		if err := flag.Set("test.skip", onContracts); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func haveContracts() bool {
	chain, err := accounttest.StartChain(accounttest.ChainConfig{})
	if err == nil {
		err = chain.Close()
	}
	return !errors.Is(err, accounttest.ErrNoContracts)
}

// stage is where examples play: a model of a chain, with an owner whose account is not deployed yet.
type stage struct {
	chain    modelChain
	bundler  *accounttest.ModelBundler
	config   account.Config
	client   *account.Client
	ownerKey *ecdsa.PrivateKey
	owner    *account.OwnedAccount
	user     *account.Account // the same account, known by its address alone
	store    *memstore.Store
	key      common.Address // a session key in the store
	ctx      context.Context
}

// modelChain is the model's chain with the addresses of its contracts.
type modelChain struct {
	*accounttest.ModelChain
	Contracts accounttest.Contracts
}

func exampleWorld() *stage { return exampleWorldOf(accounttest.DefaultChainID) }

func exampleWorldOf(chainID uint64) *stage {
	model := accounttest.NewModel(accounttest.ModelConfig{ChainID: chainID})
	key, err := crypto.GenerateKey()
	if err != nil {
		panic(err)
	}
	s := &stage{
		chain: modelChain{model.Chain, model.Contracts}, bundler: model.Bundler,
		config: model.Config(), client: model.Client(),
		ownerKey: key, owner: model.Client().OwnedAccount(account.KeyOwner(key)),
		store: memstore.New(), ctx: context.Background(),
	}
	s.user = s.client.Account(s.owner.Address())
	if s.key, err = s.store.NewKey(s.ctx, s.owner.Ref()); err != nil {
		panic(err)
	}
	return s
}

// minting allows to mint to the account itself, for an hour.
func (s *stage) minting() policy.ABI {
	return policy.ABI{
		Key:      s.key,
		Contract: s.chain.Contracts.NFT,
		Function: "safeMint(address to)",
		Rules:    []policy.Rule{policy.Arg("to", policy.Equal, s.owner.Address())},
		Window:   policy.Until(time.Now().Add(time.Hour)),
	}
}

// grantMinting grants the session key of the stage to mint for its account.
func (s *stage) grantMinting() *session.Sessions {
	sess, tx, err := s.owner.Grant(s.ctx, s.store, []policy.Policy{session.Named("minting", s.minting())}, account.Sponsored())
	if err == nil {
		_, err = sess.Activate(s.ctx, tx)
	}
	if err != nil {
		panic(err)
	}
	return sess
}

// mintCall mints for the account of the stage.
func (s *stage) mintCall() account.Call {
	data, err := abi.Pack("function safeMint(address to)", s.owner.Address())
	if err != nil {
		panic(err)
	}
	return account.Call{To: s.chain.Contracts.NFT, Data: data}
}

// handTokens gives somebody tokens of the demo contracts.
func (s *stage) handTokens(token, to common.Address, amount uint64) {
	data, err := abi.Pack("mint(address,uint256)", to, amount)
	if err == nil {
		err = s.chain.SendTx(s.ctx, token, nil, data)
	}
	if err != nil {
		panic(err)
	}
}

// chainStage is a world of the real contracts for an example.
type chainStage struct {
	*world
	ctx   context.Context
	close func()
}

func exampleChain() *chainStage {
	f := new(exampleFixture)
	return &chainStage{world: newWorld(f), ctx: f.Context(), close: f.close}
}

// exampleFixture stands for the test that an example has not got.
type exampleFixture struct{ cleanups []func() }

func (*exampleFixture) Helper() {}

func (*exampleFixture) Logf(string, ...any) {}

func (*exampleFixture) Errorf(format string, args ...any) { fmt.Printf(format, args...) }

func (*exampleFixture) FailNow() { panic("the stage of an example does not stand") }

func (f *exampleFixture) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	f.FailNow()
}

func (f *exampleFixture) Skipf(format string, args ...any) { f.Fatalf(format, args...) }

func (f *exampleFixture) Cleanup(cleanup func()) { f.cleanups = append(f.cleanups, cleanup) }

func (*exampleFixture) Context() context.Context { return context.Background() }

func (f *exampleFixture) close() {
	for _, cleanup := range slices.Backward(f.cleanups) {
		cleanup()
	}
}
