package paymaster

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/ability"
	"github.com/go-sesame/sesame/internal/failover"
	"github.com/go-sesame/sesame/userop"
)

var (
	_ userop.Checker = (*Client)(nil)
	_ userop.Checker = (*ERC7677)(nil)
	_ userop.Checker = (*Pool)(nil)
)

// Check implements [userop.Checker]: it asks what an operation of nobody's would cost in tokens
// (pm_getFeeQuoteOrData). The service knows its chain by the URL.
func (c *Client) Check(ctx context.Context, _ uint64, _ common.Address) (said string, err error) {
	_, err = c.FeeQuotes(ctx, nobodys(), userop.QuoteRequest{})
	return judged(err)
}

// Check implements [userop.Checker]: it asks what would stand in for a sponsorship while the gas of an
// operation of nobody's is estimated (pm_getPaymasterStubData).
func (p *ERC7677) Check(ctx context.Context, chainID uint64, entryPoint common.Address) (said string, err error) {
	_, err = p.StubData(ctx, nobodys(), entryPoint, chainID)
	return judged(err)
}

// Check implements [userop.Checker]: one member that answers will do. Where none can be asked there is no
// error.
func (p *Pool) Check(ctx context.Context, chainID uint64, entryPoint common.Address) (said string, err error) {
	q := failover.Question{What: "check", Judge: judge}
	for _, place := range p.group.Order() {
		if _, ok := ability.Find[userop.Checker](p.group.Member(place).Service); ok {
			q.Order = append(q.Order, place)
		}
	}
	if len(q.Order) == 0 {
		return "", nil
	}
	said, _, err = failover.Ask(ctx, p.group, q, func(ctx context.Context, member userop.Paymaster) (string, error) {
		asked, _ := ability.Find[userop.Checker](member)
		return asked.Check(ctx, chainID, entryPoint)
	})
	return said, err
}

// nobodys is an operation of an account that does not exist.
func nobodys() *userop.Operation {
	return &userop.Operation{
		Sender: common.BytesToAddress(crypto.Keccak256([]byte("an account of nobody's"))), CallData: []byte{}, Signature: make([]byte, 65),
		CallGasLimit: *uint256.NewInt(100_000), VerificationGasLimit: *uint256.NewInt(150_000), PreVerificationGas: *uint256.NewInt(60_000),
		MaxFeePerGas: *uint256.NewInt(1_000_000_000), MaxPriorityFeePerGas: *uint256.NewInt(1_000_000_000),
	}
}

// judged tells a service that refused nobody's operation from one that would refuse everybody's.
func judged(err error) (said string, _ error) {
	refused, ok := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return "", nil
	case !ok && errors.Is(err, userop.ErrNotSponsored), ok && !refused.ofEverybody():
		return err.Error(), nil
	}
	return "", err
}

// ofEverybody reports whether the service would answer any operation like that.
func (e *Error) ofEverybody() bool {
	switch kind := e.refusal(); kind {
	case ErrGasTank, ErrGlobalLimit:
		return true
	case nil:
		answer := e.answer()
		return answer.MayLackMethod() || answer.Unauthorized() || answer.Temporary() || misplaced.MatchString(userOperation.ReplaceAllString(strings.ToLower(e.Message), "operation"))
	}
	return false
}

// misplaced is a service of another chain or EntryPoint, or that wants another key or policy than it was
// given.
var misplaced = regexp.MustCompile(`\bapi[ -_]?key\b|\b(chain|network|entry ?point)\b( \S+){0,3} (not|isn't) (supported|found|available)\b` +
	`|\b(unsupported|unknown|invalid|wrong) (chain|network|entry ?point)\b|\b(invalid|unknown|missing|no such|malformed) (sponsorship )?policy\b` +
	`|\bpolicy( \S+){0,3} (not found|does not exist|doesn't exist|is required)\b`)
