package account

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// approval says how much the token paymaster is allowed to take.
type approval struct {
	option string
	// amount is what is approved, nil for what the quote asks for.
	amount *uint256.Int
	leaf   *session.LeafRef
}

// ApproveExact approves the token paymaster for the fee of [PayWith], in the same operation and before its
// calls. What the paymaster does not take of it stays allowed.
//
// No approval is made where the allowance is enough. One that is not, and not zero, is set to zero before,
// since some tokens insist on that.
//
// In an operation signed with [WithSession] the approval needs a session leaf too, whose policy allows
// approve(address spender, uint256 amount) of the token; with [WithLeafOf] it is found. As soon as there is an
// approval the operation is a batch, and goes through the batched session router.
func ApproveExact(leaf ...session.LeafRef) Option {
	return approve("ApproveExact", nil, leaf)
}

// ApproveUpTo is [ApproveExact] with an allowance of limit, in the token's base units: later operations need no
// approval until it is used up. A fee above it is an error.
func ApproveUpTo(limit *uint256.Int, leaf ...session.LeafRef) Option {
	if limit == nil {
		limit = new(uint256.Int)
	}
	return approve("ApproveUpTo", limit, leaf)
}

// ApproveUnlimited is [ApproveExact] with an allowance that is never used up: the token paymaster can take all
// that the account has of the token, now and later.
func ApproveUnlimited(leaf ...session.LeafRef) Option {
	return approve("ApproveUnlimited", new(uint256.Int).SetAllOne(), leaf)
}

func approve(option string, amount *uint256.Int, leaves []session.LeafRef) Option {
	return func(s *settings) {
		if s.approval != nil {
			s.errs = append(s.errs, fmt.Errorf("%s and %s; use one", s.approval.option, option))
		}
		s.approval = &approval{option: option, amount: amount}
		switch len(leaves) {
		case 0:
		case 1:
			s.approval.leaf = &leaves[0]
		default:
			s.errs = append(s.errs, fmt.Errorf("%s with %d leaves; one allows the approval", option, len(leaves)))
		}
	}
}

// calls set the allowance of spender for a fee, where it is now allowance and less than that.
func (a *approval) calls(token, spender common.Address, allowance, fee *uint256.Int) []Call {
	amount := fee
	if a.amount != nil {
		amount = a.amount
	}
	calls := []Call{{To: token, Data: contracts.Approve(spender, *amount)}}
	if allowance.IsZero() {
		return calls
	}
	return append([]Call{{To: token, Data: contracts.Approve(spender, uint256.Int{})}}, calls...)
}

// checkFee returns an error if the approval cannot cover a fee.
func (a *approval) checkFee(fee *uint256.Int) error {
	if a.amount != nil && a.amount.Lt(fee) {
		return fmt.Errorf("%w: %s(%s) is less than the fee of up to %s", policy.ErrInvalid, a.option, a.amount.Dec(), fee.Dec())
	}
	return nil
}

// leafFor is the session leaf of the approval.
func (a *approval) leafFor(token, spender common.Address) (session.LeafRef, error) {
	if a.leaf == nil {
		return session.LeafRef{}, fmt.Errorf("%w: in a session %s needs a leaf for the approval itself: %s(leaf) with one that allows approve(address,uint256) of token %s; or the owner approves token paymaster %s once, before",
			session.ErrNoLeaf, a.option, a.option, token, spender)
	}
	return *a.leaf, nil
}
