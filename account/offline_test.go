package account_test

import (
	"context"
	"errors"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/userop"
)

var errOffline = errors.New("nothing may be asked here")

// deadChain and deadBundler fail every request: for what must not do any.
type deadChain struct{}

func (deadChain) ChainID(context.Context) (*big.Int, error) { return nil, errOffline }

func (deadChain) CodeAt(context.Context, common.Address, *big.Int) ([]byte, error) {
	return nil, errOffline
}

func (deadChain) BlockNumber(context.Context) (uint64, error) { return 0, errOffline }

func (deadChain) FilterLogs(context.Context, ethereum.FilterQuery) ([]types.Log, error) {
	return nil, errOffline
}

func (deadChain) CallContract(context.Context, ethereum.CallMsg, *big.Int) ([]byte, error) {
	return nil, errOffline
}

// emptyChain has nothing on it: no code, and no answers.
type emptyChain struct{ deadChain }

func (emptyChain) CodeAt(context.Context, common.Address, *big.Int) ([]byte, error) { return nil, nil }

func clientOf(t testing.TB, chain account.Chain) *account.Client {
	t.Helper()
	client, err := account.NewClient(account.Config{ChainID: 80002, Chain: chain, Bundler: deadBundler{}})
	require.NoError(t, err)
	return client
}

func offlineClient(t *testing.T) *account.Client {
	t.Helper()
	return clientOf(t, deadChain{})
}

// exampleClient is a client for examples that ask nothing.
func exampleClient() *account.Client {
	client, err := account.NewClient(account.Config{ChainID: 80002, Chain: emptyChain{}, Bundler: deadBundler{}})
	if err != nil {
		panic(err)
	}
	return client
}

type deadBundler struct{}

func (deadBundler) SendUserOperation(context.Context, *userop.Operation, common.Address) (common.Hash, error) {
	return common.Hash{}, errOffline
}

func (deadBundler) EstimateUserOperationGas(context.Context, *userop.Operation, common.Address, userop.StateOverride) (userop.Gas, error) {
	return userop.Gas{}, errOffline
}

func (deadBundler) UserOperationReceipt(context.Context, common.Hash) (*userop.Receipt, error) {
	return nil, errOffline
}

// emptyAnswers answers every call with nothing.
type emptyAnswers struct{ emptyChain }

func (emptyAnswers) CallContract(context.Context, ethereum.CallMsg, *big.Int) ([]byte, error) {
	return nil, nil
}

// What came out of an error that nobody looked at must not have the owner sign instead.
func TestNobodyStandsInForASessionThatIsNotThere(t *testing.T) {
	owned := offlineClient(t).OwnedAccount(account.KeyOwner(exampleKey))
	for want, opt := range map[string]account.Option{
		"WithLeafOf without sessions": account.WithLeafOf(nil),
		"WithSigner without a signer": account.WithSigner(nil),
		"WithSession without a leaf":  account.WithSession(),
	} {
		_, err := owned.Build(t.Context(), []account.Call{{To: stranger}}, opt)
		require.ErrorIs(t, err, account.ErrConfig)
		require.ErrorContains(t, err, want)
	}
}
