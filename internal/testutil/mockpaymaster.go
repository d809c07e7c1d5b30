package testutil

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// MockPaymaster is a [MockServer] that begins as a paymaster which sponsors everything: its paymasterAndData has the
// right shape and a signature that no chain accepts, and its limits are 100,000 / 200,000 / 50,000 gas where it is
// asked for them. In ERC-20 mode it quotes at most 0.5 of the demo chain's Token6 and takes 500 of a token for one
// ether. Change single methods with [MockServer.On].
type MockPaymaster struct{ *MockServer }

// NewMockPaymaster starts a paymaster that ends with the test.
func NewMockPaymaster(t TB, cfg MockConfig) *MockPaymaster {
	t.Helper()
	p := &MockPaymaster{NewMock(t, cfg)}
	p.On("pm_sponsorUserOperation", Compute(p.sponsor))
	p.On("pm_getFeeQuoteOrData", Result(map[string]any{
		"mode":             "ERC20",
		"paymasterAddress": WellKnownContracts().TokenPaymaster,
		"feeQuotes": []any{map[string]any{
			"symbol": "DEMO6", "tokenAddress": WellKnownContracts().Token6, "decimal": 6, "maxGasFee": 0.5, "maxGasFeeUSD": 0.5,
			"premiumPercentage": "12", "validUntil": 0, "logoUrl": "",
		}},
	}))
	stub := map[string]any{"paymasterAndData": MockPaymasterAndData(), "isFinal": false, "sponsor": map[string]string{"name": "Sesame mock"}}
	p.On("pm_getPaymasterStubData", Result(stub))
	p.On("pm_getPaymasterData", Result(map[string]any{"paymasterAndData": MockPaymasterAndData()}))
	return p
}

// MockPaymasterAndData returns what a [MockPaymaster] answers: the verifying paymaster with a dummy signature.
func MockPaymasterAndData() hexutil.Bytes {
	var op userop.Operation
	(&Paymaster{contract: WellKnownContracts().Paymaster, id: Address("paymaster ID")}).stub(&op)
	return op.PaymasterAndData
}

// MockTokenPaymasterAndData returns what a [MockPaymaster] answers in ERC-20 mode: the token paymaster at 500 tokens of
// 6 decimals for one ether, with a dummy signature.
func MockTokenPaymasterAndData(token common.Address) hexutil.Bytes {
	data := contracts.TokenPaymasterData{
		Paymaster: WellKnownContracts().TokenPaymaster,
		Token:     token,
		Rate:      *uint256.NewInt(500_000_000),
		Markup:    noMarkup,
		Signature: stubSignature(),
	}
	return data.Pack()
}

func (p *MockPaymaster) sponsor(_ context.Context, request Request) (any, error) {
	var draft draftOp
	var sc sponsorContext
	if err := readParams(request, &draft, &sc); err != nil {
		return nil, err
	}
	answer := sponsorship{PaymasterAndData: MockPaymasterAndData()}
	if sc.Mode == modeERC20 {
		answer.PaymasterAndData = MockTokenPaymasterAndData(sc.TokenInfo.FeeToken)
	}
	if sc.CalculateGasLimits {
		answer.CallGasLimit, answer.VerificationGasLimit = 100_000, 200_000
		answer.PreVerificationGas = "50000"
	}
	return answer, nil
}
