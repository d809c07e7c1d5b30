package account_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/go-sesame/sesame/account/accounttest"
)

// TestMain leaves the examples out where the contracts they run on are not installed, as the tests are.
func TestMain(m *testing.M) {
	if !haveContracts() && os.Getenv("SESAME_REQUIRE_CONTRACTS") != "1" {
		if err := flag.Set("test.skip", "^Example"); err != nil {
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

// stage is a world for an example, with its owner's account not deployed yet.
type stage struct {
	*world
	ctx     context.Context
	fixture fixture
	close   func()
}

func exampleWorld() *stage { return exampleWorldOf(accounttest.DefaultChainID) }

func exampleWorldOf(chainID uint64) *stage {
	f := new(exampleFixture)
	return &stage{world: newWorldOf(f, accounttest.ChainConfig{ChainID: chainID}), ctx: f.Context(), fixture: f, close: f.close}
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
