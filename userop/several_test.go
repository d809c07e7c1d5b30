package userop_test

import (
	"context"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/userop"
)

// several are services of several members, of which b takes what is sent.
type several struct {
	*services
	sponsored []userop.SponsorRequest
	fail      func(n int, req userop.SponsorRequest) error
}

func (s *several) TakenBy(common.Hash) string { return "b" }

func (s *several) SponsorUserOperation(ctx context.Context, op *userop.Operation, req userop.SponsorRequest) (userop.Sponsorship, error) {
	s.sponsored = append(s.sponsored, req)
	answer, err := s.services.SponsorUserOperation(ctx, op, req)
	if failed := s.fail(len(s.sponsored), req); failed != nil {
		return userop.Sponsorship{}, failed
	}
	answer.CallGasLimit, answer.VerificationGasLimit, answer.PreVerificationGas = nil, nil, nil
	return answer, err
}

// unfinished is a sponsorship that has to begin anew.
type unfinished struct{ passing }

func (unfinished) Error() string   { return "who began it is down" }
func (unfinished) StartOver() bool { return true }

// wrapped hides what services can do, but says what it wraps.
type wrapped struct{ userop.Bundler }

func (w wrapped) Unwrap() userop.Bundler { return w.Bundler }

func TestPendingSaysWhoTookIt(t *testing.T) {
	s := &several{services: newServices()}
	sender, err := userop.NewSender(userop.SenderConfig{ChainID: testChainID, EntryPoint: entryPoint, Bundler: wrapped{s}})
	require.NoError(t, err)
	require.Equal(t, "b", sender.Watch(common.Hash{1}).Bundler())
	require.Empty(t, newSender(t, newServices()).Watch(common.Hash{1}).Bundler(), "there is one")
}

// A sponsorship that cannot be finished by who began it begins anew, once, with the limits that are its own.
func TestSponsorshipBeginsAnew(t *testing.T) {
	for name, test := range map[string]struct {
		fail   func(n int, req userop.SponsorRequest) error
		asked  int
		failed bool
	}{
		"finished":        {func(int, userop.SponsorRequest) error { return nil }, 2, false},
		"anew":            {func(n int, _ userop.SponsorRequest) error { return only(n == 2, unfinished{}) }, 4, false},
		"anew, in vain":   {func(_ int, req userop.SponsorRequest) error { return only(!req.CalculateGasLimits, unfinished{}) }, 4, true},
		"another failure": {func(n int, _ userop.SponsorRequest) error { return only(n == 2, passing{}) }, 2, true},
		"it never began":  {func(int, userop.SponsorRequest) error { return passing{} }, 1, true},
		"refused the next": {func(n int, _ userop.SponsorRequest) error {
			return []error{nil, unfinished{}, userop.ErrNotSponsored}[n-1]
		}, 3, true},
	} {
		s := &several{services: newServices(), fail: test.fail}
		sender, err := userop.NewSender(userop.SenderConfig{ChainID: testChainID, EntryPoint: entryPoint, Bundler: s.services, Paymaster: s})
		require.NoError(t, err)
		signed := 0
		pending, err := sender.Send(t.Context(), newDraft(&signed))
		require.Len(t, s.sponsored, test.asked, name)
		if test.failed {
			require.Error(t, err, name)
			require.Zero(t, signed, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, 1, signed, name)
		require.Equal(t, s.gas.VerificationGasLimit, pending.Operation().VerificationGasLimit, name)
	}
}

func only(when bool, err error) error {
	if when {
		return err
	}
	return nil
}
