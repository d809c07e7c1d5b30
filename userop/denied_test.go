package userop_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

// barred is a gateway's 401.
type barred struct{}

func (barred) Error() string        { return "HTTP 401 Unauthorized" }
func (barred) AccessDenied() bool   { return true }
func (barred) MayBeDelivered() bool { return false }

// gateway stands before a bundler and a paymaster, and denies access to each method so often at first.
type gateway struct {
	denials int
	asked   map[string]int
}

func (g *gateway) deny(method string) error {
	if g.asked[method]++; g.asked[method] <= g.denials {
		return barred{}
	}
	return nil
}

func (g *gateway) EstimateUserOperationGas(context.Context, *userop.Operation, common.Address, userop.StateOverride) (userop.Gas, error) {
	one := *uint256.NewInt(1)
	return userop.Gas{CallGasLimit: one, VerificationGasLimit: one, PreVerificationGas: one}, g.deny("estimate")
}

func (g *gateway) SendUserOperation(_ context.Context, op *userop.Operation, entryPoint common.Address) (common.Hash, error) {
	return op.Hash(entryPoint, 80002), g.deny("send")
}

func (g *gateway) UserOperationReceipt(context.Context, common.Hash) (*userop.Receipt, error) {
	return nil, userop.ErrNotFound
}

func (g *gateway) SponsorUserOperation(context.Context, *userop.Operation, userop.SponsorRequest) (userop.Sponsorship, error) {
	return userop.Sponsorship{PaymasterAndData: common.Address{1}.Bytes()}, g.deny("sponsor")
}

// What is asked while an operation is prepared gives nothing away: a denial in passing is asked about again,
// once. The operation itself is handed out once.
func TestADenialInPassing(t *testing.T) {
	for _, sponsored := range []bool{false, true} {
		for denials, method := range []string{"", "", "estimate"} {
			synctest.Test(t, func(t *testing.T) {
				g := &gateway{denials: denials, asked: map[string]int{}}
				sender, err := userop.NewSender(userop.SenderConfig{ChainID: 80002, EntryPoint: common.Address{9}, Bundler: g, Paymaster: g, UnidentifiedBundler: true})
				require.NoError(t, err)
				draft := userop.Draft{
					Sender: common.Address{2}, CallData: []byte{1}, Signer: plainSigner{}, Sponsored: sponsored,
					Nonce: func(context.Context) (uint256.Int, error) { return uint256.Int{}, nil },
					Caps:  userop.Caps{MaxCost: uint256.NewInt(1000)},
					Fees:  userop.Fees{MaxFeePerGas: *uint256.NewInt(1), MaxPriorityFeePerGas: *uint256.NewInt(1)},
				}
				op, err := sender.Build(t.Context(), draft)
				if sponsored && method != "" {
					method = "sponsor"
				}
				if method == "" {
					require.NoError(t, err)
					require.NotNil(t, op)
					return
				}
				require.ErrorAs(t, err, new(barred))
				require.Equal(t, 2, g.asked[method])
				require.False(t, userop.MayBeAccepted(err))
			})
		}
	}
}

// plainSigner signs anything.
type plainSigner struct{}

func (plainSigner) DummySignature(*userop.Operation) ([]byte, error) { return []byte{1}, nil }

func (plainSigner) Sign(context.Context, *userop.Operation, common.Hash) ([]byte, error) {
	return []byte{2}, nil
}
