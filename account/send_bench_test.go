package account_test

import (
	"context"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// takingAll are a bundler and a paymaster in memory that take everything at once.
type takingAll struct{ fees userop.Fees }

func (takingAll) ChainID(context.Context) (uint64, error) { return accounttest.DefaultChainID, nil }

func (takingAll) SupportedEntryPoints(context.Context) ([]common.Address, error) {
	return []common.Address{contracts.Deployed().EntryPoint}, nil
}

func (a takingAll) Fees(context.Context) (userop.Fees, error) { return a.fees, nil }

func (takingAll) EstimateUserOperationGas(context.Context, *userop.Operation, common.Address, userop.StateOverride) (userop.Gas, error) {
	return userop.Gas{}, nil
}

func (takingAll) SendUserOperation(_ context.Context, op *userop.Operation, at common.Address) (common.Hash, error) {
	return op.Hash(at, accounttest.DefaultChainID), nil
}

func (takingAll) UserOperationReceipt(context.Context, common.Hash) (*userop.Receipt, error) {
	return nil, userop.ErrNotFound
}

var (
	sponsorData  = append(common.Address{1}.Bytes(), make([]byte, 64)...)
	sponsorLimit = uint256.NewInt(100_000)
)

func (takingAll) SponsorUserOperation(context.Context, *userop.Operation, userop.SponsorRequest) (userop.Sponsorship, error) {
	return userop.Sponsorship{PaymasterAndData: sponsorData, CallGasLimit: sponsorLimit, VerificationGasLimit: sponsorLimit, PreVerificationGas: sponsorLimit}, nil
}

// BenchmarkSendInALane is what a warm sponsored send costs beside its services.
func BenchmarkSendInALane(b *testing.B) {
	store := memstore.New()
	ref := session.Ref{ChainID: accounttest.DefaultChainID, Account: deepUser}
	key, err := store.NewKey(b.Context(), ref)
	require.NoError(b, err)
	minting := policy.ABI{Key: key, Contract: stranger, Function: "safeMint(address to)", Window: policy.Forever()}
	compiled, err := minting.Compile(policy.Modules{}.WithDefaults())
	require.NoError(b, err)
	leaf := session.Leaf{ID: "mint", Status: session.StatusActive, InTree: true, Key: key, Compiled: compiled}
	_, err = store.Apply(b.Context(), ref, 0, &session.Change{Header: session.Header{Root: leaf.Hash()}, Put: []session.Leaf{leaf}})
	require.NoError(b, err)
	sess, err := session.Open(b.Context(), store, ref)
	require.NoError(b, err)
	node := &deep{root: leaf.Hash(), nonces: make(map[uint256.Int]uint64)}
	services := takingAll{userop.Fees{MaxFeePerGas: *uint256.NewInt(2_000_000_000), MaxPriorityFeePerGas: *uint256.NewInt(1_000_000_000)}}
	client, err := account.NewClient(account.Config{ChainID: accounttest.DefaultChainID, Chain: node, Bundler: services, Paymaster: services, Freshness: 1 << 62})
	require.NoError(b, err)
	lanes := client.NewLanes(account.LanesConfig{Size: 1 << 30})
	data, err := abi.Pack("safeMint(address)", stranger)
	require.NoError(b, err)
	user, calls := client.Account(deepUser), []account.Call{{To: stranger, Data: data}}
	send := func() {
		if _, err := user.Send(b.Context(), calls, account.WithSession(sess.Leaf(0)), account.Sponsored(), account.InLane(lanes)); err != nil {
			b.Fatal(err)
		}
	}
	send()
	b.ReportAllocs()
	for b.Loop() {
		send()
	}
	require.NoError(b, lanes.Close(context.WithoutCancel(b.Context())))
}
