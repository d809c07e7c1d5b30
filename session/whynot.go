package session

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session/policy"
)

// mostReasons is for how many sessions an error says why they do not allow a call.
const mostReasons = 3

// notAllowed is the error for a call that no session in force allows. It says, and matches, why those do not
// that are for the call's contract and function or, where there are none, for others: the newest ones first.
func (s *Sessions) notAllowed(m policy.Modules, v *view, n int, call abi.Call, now time.Time) error {
	reasons, more := s.reasons(m, v, call, now, true)
	if len(reasons) == 0 {
		reasons, more = s.reasons(m, v, call, now, false)
	}
	if len(reasons) == 0 {
		return fmt.Errorf("%w: %s has none; its owner has to grant one for call %d, to %s", ErrNoLeaf, s.ref, n, call.To)
	}
	format, args := make([]string, len(reasons)), []any{ErrNoLeaf, s.ref, n, call.To}
	for i, reason := range reasons {
		format[i], args = "%w", append(args, reason)
	}
	if more > 0 {
		format, args = append(format, "and %d others that do not either"), append(args, more)
	}
	return fmt.Errorf("%w: no session in force of %s allows call %d, to %s: "+strings.Join(format, "; "), args...)
}

// reasons are why the account's sessions do not allow the call, and of how many more that is not said. Of the
// revoked ones it is said only where they are for that contract and function.
func (s *Sessions) reasons(m policy.Modules, v *view, call abi.Call, now time.Time, targeted bool) (reasons []error, more int) {
	var selector [abi.SelectorSize]byte
	copy(selector[:], call.Data)
	for i := v.leaves.n - 1; i >= 0; i-- {
		leaf := v.leaves.at(i)
		if targeted != leaf.Targets(m, call.To, selector) || (!targeted && leaf.Status == StatusRevoked) {
			continue
		}
		if len(reasons) == mostReasons {
			more++
			continue
		}
		reasons = append(reasons, s.whyNot(m, leaf, call, now))
	}
	return reasons, more
}

// whyNot is why the leaf does not allow the call.
func (s *Sessions) whyNot(m policy.Modules, leaf *Leaf, call abi.Call, now time.Time) error {
	if err := leaf.checkRevoked(s.ref); err != nil {
		return err
	}
	if err := leaf.checkTime(s.ref, now); err != nil {
		return err
	}
	if leaf.Module != m.ABI && leaf.Module != m.ERC20 {
		return fmt.Errorf("%s is judged by module %s alone: name it to act with it", leaf.name(), leaf.Module)
	}
	if err := policy.CheckCall(m, &leaf.Compiled, call); err != nil {
		return leaf.violation(err)
	}
	return fmt.Errorf("%s is left out of the account's tree; its owner puts it back with Restore", leaf.name())
}
