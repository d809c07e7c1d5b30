package accounttest

import (
	"context"
	"maps"
	"math/big"
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/kit"
	"github.com/go-sesame/sesame/userop"
)

// Markups of a price, in millionths.
const (
	noMarkup   = contracts.MarkupUnit
	tillMarkup = 1_100_000
)

// trialRate makes a fee in a token that is next to nothing, but not nothing, of the single wei that an
// estimator pays for gas: taking it takes as much gas as taking the real one.
const trialRate = 100_000_000_000_000

// till knows what one ether costs in tokens, in their smallest units.
type till struct {
	mu     sync.Mutex
	rates  map[common.Address]uint256.Int
	oracle common.Address // that prices name; zero where the signed rate is final
}

func newTill(at Contracts) *till {
	const tokens = 2_000
	micro := *uint256.NewInt(tokens * 1e6)
	whole := *new(uint256.Int).Mul(uint256.NewInt(tokens), uint256.NewInt(1e18))
	return &till{rates: map[common.Address]uint256.Int{at.Token: whole, at.Token6: micro, at.ResetToken: micro}}
}

// SetRate sets what one ether costs in a token, in the token's smallest unit; nil means that the token is not
// taken. Quotes that were given before do not bind the service.
func (p *Paymaster) SetRate(token common.Address, perEther *big.Int) {
	p.till.set(token, perEther)
}

func (t *till) set(token common.Address, perEther *big.Int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if perEther == nil {
		delete(t.rates, token)
		return
	}
	t.rates[token] = *uint256.MustFromBig(perEther)
}

// SetOracle has prices name an oracle from now on (price source 1): the token paymaster then takes the rate
// that this has when the operation is over, and the signed one where it does not answer. The zero address
// makes signed rates final again (price source 0). The chain's own oracle, [Contracts].Oracle, has the rates
// that anybody tells it: other ones than were quoted, for a paymaster that is not honest.
func (p *Paymaster) SetOracle(oracle common.Address) { p.till.setOracle(oracle) }

func (t *till) setOracle(oracle common.Address) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.oracle = oracle
}

// price is what an operation costs in a token, before its signature.
func (t *till) price(token common.Address, rate uint256.Int) contracts.TokenPaymasterData {
	t.mu.Lock()
	defer t.mu.Unlock()
	price := contracts.TokenPaymasterData{Token: token, Oracle: t.oracle, Rate: rate, Markup: tillMarkup}
	if t.oracle != (common.Address{}) {
		price.Source = 1
	}
	return price
}

func (t *till) rate(token common.Address) (uint256.Int, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rate, ok := t.rates[token]
	return rate, ok
}

// tokens are the ones that are taken, in order.
func (t *till) tokens() []common.Address {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.SortedFunc(maps.Keys(t.rates), common.Address.Cmp)
}

// trialIn is an estimator of operations that are paid for in a token.
func (p *Paymaster) trialIn(token common.Address) *estimator {
	return &estimator{simulator: p.estimator.simulator, seal: p.sealerIn(token, *uint256.NewInt(trialRate))}
}

// sealerIn returns what puts valid paymasterAndData of the token paymaster into an operation. As with
// [Paymaster.seal], no field may change afterwards.
func (p *Paymaster) sealerIn(token common.Address, rate uint256.Int) func(context.Context, *userop.Operation) error {
	return func(ctx context.Context, op *userop.Operation) error {
		now, err := p.estimator.chain.NextTime(ctx)
		if err != nil {
			return err
		}
		data := p.till.price(token, rate)
		data.Paymaster = p.estimator.chain.Contracts.TokenPaymaster
		data.ValidUntil = uint64(now.Add(p.validity).Unix())
		if data.Signature, err = signHash(p.signer, kit.TokenHash(op, &data, p.estimator.chain.ChainID())); err != nil {
			return err
		}
		op.PaymasterAndData = data.Pack()
		return nil
	}
}
