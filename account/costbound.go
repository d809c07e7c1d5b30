package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// What a service may make an operation cost that its account pays, beyond what we know ourselves.
const (
	// feeMargin multiplies what the node proposes, which has twice the base fee in it already. Bundlers ask
	// for 1.1 to 1.5 times the price they see, of a base fee that may have risen by an eighth a block since.
	feeMargin = 3
	// feeFloor, in wei, is allowed for a tip in any case: where the base fee is next to nothing, a bundler's
	// smallest tip is a large multiple of it. With it a million gas costs 0.0001 of the chain's currency.
	feeFloor = 100_000_000
	// preVerificationMargin multiplies our estimate: bundlers add up to a half to theirs, and what a byte
	// costs on L1 rises by an eighth a block there.
	preVerificationMargin = 2
)

// costBound bounds what services make an operation cost that its account pays: the fees that are proposed by
// what the node proposes, and preVerificationGas by our own estimate. What the caller gave, or the client's
// configuration caps by name, it leaves alone.
type costBound struct {
	client   *Client
	settings *settings
	draft    *userop.Draft

	// What was read in the operation's first step. Each is written by one reader and looked at after all.
	node    userop.Fees // what the node proposes
	nodeErr error
	l1      l1Price
}

// boundSelfPaid makes the draft one whose cost is bounded where its account pays. What that has to be known
// for is read beside the rest, and mostly in the same request as the nonce.
func (c *Client) boundSelfPaid(draft *userop.Draft, s *settings) {
	b := &costBound{client: c, settings: s, draft: draft}
	draft.Bound = b.check
	if s.fees == (userop.Fees{}) {
		draft.FeeSource = b
	}
	readsL1 := b.boundsPreVerification() && !c.noL1Fees.Load()
	switch {
	case !readsL1:
	case s.nonce == nil && s.lanes == nil:
		draft.Reserve = c.reservesNonce(readNonce{
			account: draft.Sender, lane: s.lane, taken: s.taken, remembers: s.remembers, read: b.nonce, beside: b.readL1,
		})
	default:
		draft.Checks = append(draft.Checks, b.readL1)
	}
	if draft.FeeSource == nil && (readsL1 || b.boundsFees()) { // for the price of a byte on L1, too
		draft.Checks = append(draft.Checks, func(ctx context.Context) error {
			b.node, b.nodeErr = c.fees.node(ctx)
			return nil
		})
	}
}

// boundsFees reports whether the fees are bounded here.
func (b *costBound) boundsFees() bool {
	return b.settings.callersCosts().fees == (userop.Fees{}) && b.client.caps.MaxFeePerGas == nil
}

// boundsPreVerification reports whether preVerificationGas is bounded here.
func (b *costBound) boundsPreVerification() bool {
	gas := b.settings.callersCosts().gas
	return gas.PreVerificationGas.IsZero() && b.client.caps.PreVerificationGas == nil
}

// Fees implements [userop.FeeSource]: the node is asked beside the service.
func (b *costBound) Fees(ctx context.Context) (userop.Fees, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group errgroup.Group
	group.Go(func() error {
		b.node, b.nodeErr = b.client.fees.node(ctx)
		return nil
	})
	source, asked := b.client.fees, time.Now()
	if last := source.fresh(&source.last); last != nil {
		_ = group.Wait() // never fails: what went wrong matters once it is known that the account pays
		return last.fees, nil
	}
	fees, err := source.service.Fees(ctx)
	if source.standsIn(err) {
		fees, err = source.standIn(ctx, func(context.Context) (userop.Fees, error) {
			_ = group.Wait()
			return b.node, b.nodeErr
		})
	} else if err != nil {
		cancel()
	}
	_ = group.Wait()
	return source.keep(asked, fees, err)
}

// nonce reads the operation's nonce, and what the chain charges for data on L1 in the same request.
func (b *costBound) nonce(ctx context.Context) (uint256.Int, error) {
	lane := b.settings.lane
	if lane == nil {
		lane = new(uint256.Int)
	}
	entryPoint := b.client.contracts.EntryPoint
	reads := append(b.l1Reads(), contracts.Read{To: entryPoint, Data: contracts.GetNonce(b.draft.Sender, *lane)})
	results, err := batchRead(ctx, b.client.chain, nil, reads...)
	if err != nil {
		return uint256.Int{}, fmt.Errorf("nonce of %s: %w", b.draft.Sender, err)
	}
	b.useL1(results)
	var nonce uint256.Int
	if err := decodeResult(&results[len(reads)-1], "getNonce", into(&nonce, contracts.DecodeUint256)); err != nil {
		return uint256.Int{}, fmt.Errorf("EntryPoint %s: %w", entryPoint, err)
	}
	return nonce, nil
}

// readL1 reads what the chain charges for data on L1 where no nonce is read, unless it did so lately.
func (b *costBound) readL1(ctx context.Context) error {
	if last := b.client.l1.Load(); last != nil && time.Since(last.at) < b.client.freshness {
		b.l1 = *last
		return nil
	}
	results, err := batchRead(ctx, b.client.chain, nil, b.l1Reads()...)
	if err != nil {
		return fmt.Errorf("fee for data on L1: %w", err)
	}
	b.useL1(results)
	return nil
}

// check judges an operation that is complete, and whose account pays.
func (b *costBound) check(op *userop.Operation) error {
	if b.boundsFees() {
		if err := b.checkFees(op); err != nil {
			return err
		}
	}
	if !b.boundsPreVerification() {
		return nil
	}
	estimate := b.estimatePreVerification(op)
	limit := scaled(scaled(estimate, preVerificationMargin, 1), 100+uint64(b.settings.margins.PreVerificationGas), 100)
	if !op.PreVerificationGas.Gt(limit) {
		return nil
	}
	reason, wayOut := "", "if the bundler is right, as where data on L1 is charged for by other rules than those of the OP stack and of Arbitrum, allow it by Config.Caps.PreVerificationGas, or give it with WithGas"
	if b.l1.untold {
		if b.client.caps.MaxCost != nil {
			return nil // the estimate is not known, and the whole is bounded
		}
		reason, wayOut = " (the chain's contract did not tell what data costs on L1)", "Config.Caps.MaxCost, in wei, bounds an operation without that; or "+wayOut
	}
	return fmt.Errorf("%w: preVerificationGas is %s gas, our own estimate is %s%s and %s the most that is let pass of a service's; %s",
		userop.ErrCap, op.PreVerificationGas.Dec(), estimate.Dec(), reason, limit.Dec(), wayOut)
}

// checkFees holds the fees against the node's.
func (b *costBound) checkFees(op *userop.Operation) error {
	if b.nodeErr != nil {
		return b.withoutNode()
	}
	margins := &b.settings.margins
	fee := scaled(&b.node.MaxFeePerGas, feeMargin, 1)
	if smallest, overflow := new(uint256.Int).AddOverflow(&b.node.MaxFeePerGas, uint256.NewInt(feeFloor)); !overflow && fee.Lt(smallest) {
		fee = smallest // the base fee, and such a tip
	}
	fee = scaled(fee, 100+uint64(margins.MaxFeePerGas), 100)
	// A node's tip is often next to nothing where bundlers ask for a real one: up to the price of gas, it is
	// one among other fees.
	tip := scaled(&b.node.MaxPriorityFeePerGas, feeMargin, 1)
	if tip.Lt(&b.node.MaxFeePerGas) {
		tip.Set(&b.node.MaxFeePerGas)
	}
	if tip.LtUint64(feeFloor) {
		tip.SetUint64(feeFloor)
	}
	tip = scaled(tip, 100+uint64(margins.MaxPriorityFeePerGas), 100)
	for _, field := range []struct {
		name                string
		value, node, atMost *uint256.Int
	}{
		{"maxFeePerGas", &op.MaxFeePerGas, &b.node.MaxFeePerGas, fee},
		{"maxPriorityFeePerGas", &op.MaxPriorityFeePerGas, &b.node.MaxPriorityFeePerGas, tip},
	} {
		if field.value.Gt(field.atMost) {
			return fmt.Errorf("%w: %s is %s wei, the node proposes %s and %s is the most that is let pass of a service's; if the service is right, allow it by Config.Caps.MaxFeePerGas, or give the fees with WithFees",
				userop.ErrCap, field.name, field.value.Dec(), field.node.Dec(), field.atMost.Dec())
		}
	}
	return nil
}

// withoutNode judges fees that the node's cannot be held against: then a cap for the whole has to be there,
// which was checked before.
func (b *costBound) withoutNode() error {
	switch {
	case b.client.caps.MaxCost != nil:
		return nil
	case errors.Is(b.nodeErr, userop.ErrNoFees):
		return fmt.Errorf("%w: nothing bounds the fees that the account would pay: %w; name in Config.Caps.MaxCost what one operation may cost, in wei, or read the chain by a client that proposes fees, as *ethclient.Client does: a wrapper around one says what it wraps by a method Unwrap() account.Chain", userop.ErrCap, b.nodeErr)
	}
	return fmt.Errorf("%w: the node's fees, which bound those that the account would pay, are not known: %w; Config.Caps.MaxCost, in wei, bounds an operation without them", userop.ErrCap, b.nodeErr)
}

// scaled is v × numerator / denominator, rounded up. Numbers beyond 256 bits saturate.
func scaled(v *uint256.Int, numerator, denominator uint64) *uint256.Int {
	product := new(uint256.Int)
	if _, overflow := product.MulOverflow(v, uint256.NewInt(numerator)); overflow {
		return product.SetAllOne()
	}
	return dividedUp(product, uint256.NewInt(denominator))
}

// dividedUp is v / divisor, rounded up; a divisor of zero is one.
func dividedUp(v, divisor *uint256.Int) *uint256.Int {
	if divisor.IsZero() {
		return v
	}
	quotient, rest := new(uint256.Int).DivMod(v, divisor, new(uint256.Int))
	if !rest.IsZero() {
		quotient.AddUint64(quotient, 1)
	}
	return quotient
}

// What one operation takes of a bundler's transaction, as bundlers reckon.
const (
	transactionGas = 21_000 // of the transaction, as if the operation were alone in it
	operationGas   = 18_300 // that the EntryPoint does not count
	wordGas        = 4      // for each word that the EntryPoint copies
	// EIP-7623's floor, which is above the plain price of calldata.
	zeroByteGas, byteGas = 10, 40
)

// estimatePreVerification is what a bundler has to be paid for beyond what the EntryPoint counts, in gas: at
// the highest price of calldata, and all of it on L1 too where the chain charges for that.
func (b *costBound) estimatePreVerification(op *userop.Operation) *uint256.Int {
	full := contracts.UserOperation(*op)
	for _, field := range []*uint256.Int{
		&full.CallGasLimit, &full.VerificationGasLimit, &full.PreVerificationGas, &full.MaxFeePerGas, &full.MaxPriorityFeePerGas,
	} {
		field.SetAllOne() // the values do not matter to the result
	}
	data := contracts.HandleOps([]contracts.UserOperation{full}, common.MaxAddress)
	gas := uint64(transactionGas + operationGas + wordGas*(len(data)/32))
	for _, by := range data {
		if by == 0 {
			gas += zeroByteGas
		} else {
			gas += byteGas
		}
	}
	estimate := b.l1.gas(len(data), b.gasPrice(op))
	if _, overflow := estimate.AddOverflow(estimate, uint256.NewInt(gas)); overflow {
		estimate.SetAllOne()
	}
	return estimate
}

// gasPrice is what the operation pays for gas if it is included now: the base fee and its tip, as far as its
// maximum goes. Without the base fee a tip says nothing of the price: one of a wei would make it next to
// nothing, and the gas for L1 any number.
func (b *costBound) gasPrice(op *userop.Operation) *uint256.Int {
	price, known := new(uint256.Int), b.nodeErr == nil
	switch node := &b.node; {
	case !known:
	case node.MaxFeePerGas.Eq(&node.MaxPriorityFeePerGas): // the node says the sum only
		price.Set(&node.MaxFeePerGas)
	default: // it proposes twice the base fee, and a tip
		price.Rsh(price.Sub(&node.MaxFeePerGas, &node.MaxPriorityFeePerGas), 1)
		_, overflow := price.AddOverflow(price, &op.MaxPriorityFeePerGas)
		known = !overflow
	}
	if !known || price.IsZero() || price.Gt(&op.MaxFeePerGas) {
		return price.Set(&op.MaxFeePerGas)
	}
	return price
}
