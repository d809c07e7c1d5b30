package userop_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

const testChainID = 80002

var (
	entryPoint = common.HexToAddress("0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789")
	sender     = common.HexToAddress("0x1111111111111111111111111111111111111111")
	sponsor    = common.HexToAddress("0x2222222222222222222222222222222222222222")
)

// services are a bundler and a paymaster in memory that note what they are asked.
type services struct {
	mu  sync.Mutex
	log []string

	chainID     uint64
	entryPoints []common.Address
	fees        userop.Fees
	feesErr     error
	gas         userop.Gas
	estimateErr error
	sponsorship userop.Sponsorship
	sponsorErr  error
	sendHash    *common.Hash // nil: the right one
	sendErrs    []error      // one for each try, then success
	receipts    []any        // *userop.Receipt or error, the last one again and again
	sent        []*userop.Operation
	asked       []userop.SponsorRequest
}

func newServices() *services {
	return &services{
		chainID:     testChainID,
		entryPoints: []common.Address{entryPoint},
		fees:        userop.Fees{MaxFeePerGas: *uint256.NewInt(2_000_000_000), MaxPriorityFeePerGas: *uint256.NewInt(1_000_000_000)},
		gas:         userop.Gas{CallGasLimit: *uint256.NewInt(100), VerificationGasLimit: *uint256.NewInt(200), PreVerificationGas: *uint256.NewInt(300)},
		sponsorship: userop.Sponsorship{
			PaymasterAndData:     append(sponsor.Bytes(), 1, 2, 3),
			CallGasLimit:         uint256.NewInt(1000),
			VerificationGasLimit: uint256.NewInt(2000),
			PreVerificationGas:   uint256.NewInt(3000),
		},
		receipts: []any{userop.ErrNotFound},
	}
}

func (s *services) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, what)
}

func (s *services) count(what string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, entry := range s.log {
		if entry == what {
			n++
		}
	}
	return n
}

// sends are the operations that were sent so far. Who watches may send after the last wait has ended.
func (s *services) sends() []*userop.Operation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

func (s *services) ChainID(context.Context) (uint64, error) {
	s.note("chain ID")
	return s.chainID, nil
}

func (s *services) SupportedEntryPoints(context.Context) ([]common.Address, error) {
	s.note("entry points")
	return s.entryPoints, nil
}

func (s *services) Fees(context.Context) (userop.Fees, error) {
	s.note("fees")
	return s.fees, s.feesErr
}

func (s *services) EstimateUserOperationGas(_ context.Context, op *userop.Operation, _ common.Address, _ userop.StateOverride) (userop.Gas, error) {
	s.note("estimate")
	return s.gas, s.estimateErr
}

func (s *services) SponsorUserOperation(_ context.Context, op *userop.Operation, req userop.SponsorRequest) (userop.Sponsorship, error) {
	s.note("sponsor")
	s.asked = append(s.asked, req)
	answer := s.sponsorship
	if !req.CalculateGasLimits {
		answer.CallGasLimit, answer.VerificationGasLimit, answer.PreVerificationGas = nil, nil, nil
	}
	return answer, s.sponsorErr
}

func (s *services) SendUserOperation(_ context.Context, op *userop.Operation, at common.Address) (common.Hash, error) {
	s.note("send")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, op.Clone())
	if n := len(s.sent); n <= len(s.sendErrs) {
		return common.Hash{}, s.sendErrs[n-1]
	}
	if s.sendHash != nil {
		return *s.sendHash, nil
	}
	return op.Hash(at, testChainID), nil
}

func (s *services) UserOperationReceipt(context.Context, common.Hash) (*userop.Receipt, error) {
	s.note("receipt")
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := s.receipts[0]
	if len(s.receipts) > 1 {
		s.receipts = s.receipts[1:]
	}
	if err, ok := answer.(error); ok {
		return nil, err
	}
	return answer.(*userop.Receipt), nil
}

// seal is a signer that counts.
type seal struct {
	signed *int
	err    error
}

func (s seal) DummySignature(*userop.Operation) ([]byte, error) { return []byte("dummy"), nil }

func (s seal) Sign(_ context.Context, _ *userop.Operation, hash common.Hash) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	*s.signed++
	return append([]byte("signed "), hash[:]...), nil
}

// passing is an error that passes by itself.
type passing struct{ delivered bool }

func (passing) Error() string { return "503 service unavailable" }

func (passing) Temporary() bool { return true }

func (p passing) MayBeDelivered() bool { return p.delivered }

// verdict is an answer of the bundler: surely not accepted, and final.
type verdict struct{}

func (verdict) Error() string { return "AA24 signature error" }

func (verdict) Temporary() bool { return false }

func (verdict) MayBeDelivered() bool { return false }

func newSender(t *testing.T, s *services) *userop.Sender {
	t.Helper()
	made, err := userop.NewSender(userop.SenderConfig{ChainID: testChainID, EntryPoint: entryPoint, Bundler: s, Paymaster: s})
	require.NoError(t, err)
	return made
}

func newDraft(signed *int) userop.Draft {
	return userop.Draft{
		Sender:    sender,
		CallData:  []byte{1, 2, 3, 4},
		Signer:    seal{signed: signed},
		Nonce:     func(context.Context) (uint256.Int, error) { return *uint256.NewInt(7), nil },
		Sponsored: true,
		Caps:      userop.Caps{MaxCost: new(uint256.Int).SetAllOne()}, // of no interest but where a test says so
	}
}

var errNode = errors.New("node says no")
