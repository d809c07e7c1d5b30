package paymastertest

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/internal/kit"
	"github.com/go-sesame/sesame/internal/signature"
)

// Config says how a [Server] begins. The zero value is a good one.
type Config struct {
	// Delay is added to every answer, so that requests made at the same time overlap.
	Delay time.Duration
	// Forward, when set, is the URL of another paymaster, which answers what no script does: the server
	// begins without answers of its own and stands before it.
	Forward string
}

// Server is a scripted JSON-RPC service that begins as a paymaster which sponsors everything: its
// paymasterAndData has the right shape and a signature that no chain accepts, and its limits are 100,000 /
// 200,000 / 50,000 gas where it is asked for them. In ERC-20 mode it quotes at most 0.5 of the demo chain's
// Token6 and takes 500 of a token for one ether. It is safe for concurrent use.
type Server struct{ *jsonrpctest.Server }

// StartServer starts a server; the caller closes it.
func StartServer(cfg Config) (*Server, error) {
	scripted, err := jsonrpctest.StartServer(jsonrpctest.Config{Delay: cfg.Delay})
	if err != nil {
		return nil, fmt.Errorf("start scripted paymaster: %w", err)
	}
	p := &Server{scripted}
	if cfg.Forward != "" {
		p.Otherwise(Forward(cfg.Forward))
		return p, nil
	}
	p.script()
	return p, nil
}

// NewServer starts a server that ends with the test.
func NewServer(t TB, cfg Config) *Server {
	t.Helper()
	p, err := StartServer(cfg)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { jsonrpctest.LogClose(t, "scripted paymaster", p.Close) })
	return p
}

// URL returns the server's address, on 127.0.0.1.
func (p *Server) URL() string { return p.Server.URL() }

// On sets the answers to a method: one request after another takes the next, and the last one stays.
func (p *Server) On(method string, answers ...Answer) { p.Server.On(method, answers...) }

// Otherwise sets the answer to all methods that have none of their own.
func (p *Server) Otherwise(answer Answer) { p.Server.Otherwise(answer) }

// Requests returns the requests of a method that came, in order; of all methods where it is empty.
func (p *Server) Requests(method string) []Request { return p.Server.Requests(method) }

// Count returns how many [Server.Requests] there are.
func (p *Server) Count(method string) int { return p.Server.Count(method) }

// Close stops the server, and waits until it has.
func (p *Server) Close() error { return p.Server.Close() }

// script sets the answers of a paymaster that sponsors everything.
func (p *Server) script() {
	p.On("pm_sponsorUserOperation", Compute(p.sponsor))
	p.On("pm_getFeeQuoteOrData", Result(map[string]any{
		"mode":             "ERC20",
		"paymasterAddress": kit.TokenPaymaster(),
		"feeQuotes": []any{map[string]any{
			"symbol": "DEMO6", "tokenAddress": kit.Token6(), "decimal": 6, "maxGasFee": 0.5, "maxGasFeeUSD": 0.5,
			"premiumPercentage": "12", "validUntil": 0, "logoUrl": "",
		}},
	}))
	stub := map[string]any{"paymasterAndData": PaymasterAndData(), "isFinal": false, "sponsor": map[string]string{"name": "Sesame mock"}}
	p.On("pm_getPaymasterStubData", Result(stub))
	p.On("pm_getPaymasterData", Result(map[string]any{"paymasterAndData": PaymasterAndData()}))
}

// PaymasterAndData returns what a [Server] answers: the verifying paymaster with a dummy signature.
func PaymasterAndData() hexutil.Bytes {
	return kit.StubSponsorData(kit.DefaultPaymasterID()).Pack()
}

// TokenPaymasterAndData returns what a [Server] answers in ERC-20 mode: the token paymaster at 500 tokens of
// 6 decimals for one ether, with a dummy signature.
func TokenPaymasterAndData(token common.Address) hexutil.Bytes {
	data := contracts.TokenPaymasterData{
		Paymaster: kit.TokenPaymaster(),
		Token:     token,
		Rate:      *uint256.NewInt(500_000_000),
		Markup:    1_000_000, // none: in millionths
		Signature: signature.Dummy(),
	}
	return data.Pack()
}

func (p *Server) sponsor(_ context.Context, request Request) (any, error) {
	var draft kit.DraftOperation
	var sc kit.SponsorContext
	if err := jsonrpctest.ReadParams(request, &draft, &sc); err != nil {
		return nil, err
	}
	answer := kit.Sponsorship{PaymasterAndData: PaymasterAndData()}
	if sc.Mode == kit.ModeERC20 {
		answer.PaymasterAndData = TokenPaymasterAndData(sc.TokenInfo.FeeToken)
	}
	if sc.CalculateGasLimits {
		answer.CallGasLimit, answer.VerificationGasLimit = kit.CallGasLimit, kit.VerificationGasLimit
		answer.PreVerificationGas = strconv.Itoa(kit.PreVerificationGas)
	}
	return answer, nil
}
