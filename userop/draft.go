package userop

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// Draft is what a [Sender] makes an operation of. Sender, CallData, Signer and either Nonce or Reserve are
// required, the last not with Replaces.
type Draft struct {
	// Sender is the smart account that acts.
	Sender common.Address
	// CallData is what the EntryPoint will call the account with. It may be empty together with InitCode: an
	// operation that only deploys the account.
	CallData []byte
	// Compose, when set, reads what the call data depends on and returns the call data; CallData is not
	// looked at then. It runs beside the other reads of the first step.
	Compose func(ctx context.Context) ([]byte, error)
	// Signer signs the finished operation.
	Signer Signer
	// Nonce reads the operation's nonce.
	Nonce func(ctx context.Context) (uint256.Int, error)
	// Reserve, instead of Nonce, makes a nonce the operation's own. It runs before all else and may wait for
	// one.
	Reserve func(ctx context.Context) (Reservation, error)
	// InitCode reads the code that deploys the account, empty for a deployed one. Nil means deployed.
	InitCode func(ctx context.Context) ([]byte, error)
	// Checks run beside the other reads of the first step; an error of one stops the operation.
	Checks []func(ctx context.Context) error
	// Identify, when set, is a check of which chain the others read, matching [ErrWrongChain] for another.
	// It comes before their errors, which that may have caused.
	Identify func(ctx context.Context) error

	// Complete, when set, is the operation but for its signature, as [Sender.BuildUnsigned] made it earlier:
	// it is signed as it is. Nothing is read for it, and no service prices it or pays for it; Checks, Caps
	// and Accept judge it again. CallData, InitCode and all that decides on the price are not looked at, and
	// its nonce is the draft's.
	Complete *Operation

	// Sponsored asks the sender's paymaster to pay.
	Sponsored bool
	// OrSelf, with Sponsored, has the account pay itself where the paymaster says that it does not
	// ([ErrNotSponsored]). A paymaster that cannot be asked is an error all the same.
	OrSelf bool
	// FeeToken, with Sponsored, pays the paymaster in this ERC-20 token.
	FeeToken *common.Address
	// PaymasterContext is what the paymaster is to know of this operation beside its fields, such as a policy
	// or the user; nil for what the paymaster's client was made with. It is marshalled to JSON.
	PaymasterContext any
	// Fees, when not zero, are used as they are instead of being asked for.
	Fees Fees
	// FeeSource, when set, proposes the fees of this operation instead of the sender's.
	FeeSource FeeSource
	// Gas are limits to be used as they are; zero fields are estimated.
	Gas Gas
	// Margins are added to what services propose, never to what the caller gave.
	Margins Margins
	// Caps refuse an operation that would cost more, before it is signed.
	Caps Caps
	// Bound, when set, judges what an operation may cost that its account pays for itself. Without it Caps
	// have to bound that: by MaxCost, or else by MaxFeePerGas and PreVerificationGas, where Fees and Gas do
	// not give them. callGasLimit and verificationGasLimit need no bound: gas that is not used comes back.
	Bound func(op *Operation) error
	// Overrides change the state for the estimation only.
	Overrides StateOverride

	// Accept has the last word on an operation that is complete but for its signature; an error of it stops
	// the operation.
	Accept func(op *Operation) error
	// BeforeSend runs after signing and before anything is sent; an error of it stops the operation. hash is
	// the userOpHash. It runs again for an operation that was made anew: see Renew.
	BeforeSend func(ctx context.Context, op *Operation, hash common.Hash) error
	// Guard is asked before each try to send the signed operation, the first one included.
	Guard Guard
	// Renew, when set, is asked about a refusal of an operation that the services judged with its signature,
	// the dummy one included, and that surely was not accepted. again says that the signer would now sign
	// something else, which may pass: the operation is priced, signed and sent once more, with its nonce
	// unless the chain shows that another one used it. If it is not, because again is false or it was
	// already, why is told instead of the refusal, which it wraps: an error whose MayBeDelivered is true
	// leaves the refused operation in doubt. Both have one nonce, and where the refused one lands after all,
	// as the chain shows it, that is success: the [Pending]'s Wait returns its receipt.
	Renew func(ctx context.Context, op *Operation, refusal error) (again bool, why error)

	// Forget, when set, is asked about a refusal of an operation by a service: whether it may come of what
	// was remembered for it rather than read, which is forgotten then. What the first step reads is read
	// again if it may and, where the nonce or the fees are others, the operation is made anew, once.
	// nonceStays says that another nonce would make a second operation that may land: one with this nonce
	// was given away, and the chain does not show that another one used it.
	Forget func(nonce Reservation, refusal error, nonceStays bool) bool

	// Replaces, when set, is an operation of the same Sender that is stuck: this one has its nonce, so that
	// one of both can land at most, and neither Nonce nor Reserve is needed. Both fees are at least a tenth
	// above those of all that were made for the nonce, unless Fees gives them. A bundler that refuses it as
	// paying too little, and says what would do, is asked once more with that, within the Caps. Both are for
	// one purpose: whichever lands is what a wait for either returns ([Pending.Operations]), and one that
	// began before this was sent, too, where there is a [SenderConfig.Chain].
	Replaces *Pending
	// Cancels says that Replaces is for another purpose, which this one is to prevent. That it lands is the
	// end of the other one ([ErrReplaced]), and the other way round.
	Cancels bool
}

// Margins are percentages added to proposed values, rounded up: 20 makes 100 into 120.
type Margins struct {
	CallGasLimit, VerificationGasLimit, PreVerificationGas uint
	MaxFeePerGas, MaxPriorityFeePerGas                     uint
}

func (m Margins) gas() bool {
	return m.CallGasLimit != 0 || m.VerificationGasLimit != 0 || m.PreVerificationGas != 0
}

// leavesGas reports whether the gas limits are left to the services: a paymaster's can be taken as they are.
func (d *Draft) leavesGas() bool {
	return d.Gas.isZero() && !d.Margins.gas() && len(d.Overrides) == 0
}

func (d *Draft) validate() error {
	switch {
	case d.Sender == (common.Address{}):
		return errors.New("no sender")
	case d.Complete != nil && d.Complete.Sender != d.Sender:
		return fmt.Errorf("the complete operation is one of %s", d.Complete.Sender)
	case d.Complete == nil && len(d.CallData) == 0 && d.Compose == nil && d.InitCode == nil:
		return errors.New("no call data")
	case d.Signer == nil:
		return errors.New("no signer")
	case d.Nonce == nil && d.Reserve == nil && d.Replaces == nil:
		return errors.New("no nonce")
	case d.Nonce != nil && d.Reserve != nil:
		return errors.New("a nonce to read and one to reserve; use one")
	case d.FeeToken != nil && !d.Sponsored:
		return errors.New("a fee token goes with sponsorship by a token paymaster")
	case d.OrSelf && (!d.Sponsored || d.FeeToken != nil):
		return errors.New("paying itself stands in for a sponsorship without a fee token")
	case !d.Fees.isZero() && d.Fees.MaxFeePerGas.IsZero():
		return errors.New("a priority fee without a maximum fee per gas")
	case d.Fees.MaxPriorityFeePerGas.Gt(&d.Fees.MaxFeePerGas):
		return fmt.Errorf("priority fee %s wei is above the maximum fee %s wei per gas", d.Fees.MaxPriorityFeePerGas.Dec(), d.Fees.MaxFeePerGas.Dec())
	}
	return d.checkReplaced()
}

// addPercent adds percent of v to v, rounding up, and saturates at the largest value.
func addPercent(v uint256.Int, percent uint) uint256.Int {
	if percent == 0 {
		return v
	}
	hundred := uint256.NewInt(100)
	var factor, sum, rest uint256.Int
	factor.AddUint64(hundred, uint64(percent))
	if _, overflow := sum.MulDivOverflow(&v, &factor, hundred); overflow {
		return *new(uint256.Int).SetAllOne()
	}
	if !rest.MulMod(&v, &factor, hundred).IsZero() {
		sum.AddUint64(&sum, 1)
	}
	return sum
}
