package account

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop/outbox"
)

// ErrKeyReused means that the key of [Once] is that of another send; see [*KeyReusedError].
var ErrKeyReused = errors.New("idempotency key was used for another send")

// KeyReusedError is a key of [Once] that was used before for something else. Nothing was sent. It matches
// [ErrKeyReused].
type KeyReusedError struct {
	Ref session.Ref
	Key string
	// Difference says what was asked for under the key, and what now.
	Difference string
}

// Error says which key, and what differs.
func (e *KeyReusedError) Error() string {
	return fmt.Sprintf("%v: under %q of %s %s; give this one a key of its own", ErrKeyReused, e.Key, e.Ref, e.Difference)
}

// Is makes a KeyReusedError match [ErrKeyReused].
func (e *KeyReusedError) Is(target error) bool { return target == ErrKeyReused }

// The kinds of sends that a key can be of, as an outbox keeps them.
const (
	kindSend          = "send"
	kindDeploy        = "deploy"
	kindGrant         = "grant"
	kindRevoke        = "revoke"
	kindRestore       = "restore"
	kindEnableModule  = "enable module"
	kindSetupModule   = "set up module"
	kindDisableModule = "disable module"
	kindDisableRouter = "disable router"
	kindWithdraw      = "withdraw"
)

// changesRoot reports whether a send of that kind changes the account's session root.
func changesRoot(kind string) bool {
	return kind == kindGrant || kind == kindRevoke || kind == kindRestore
}

const (
	// maxAskedBytes is how many bytes of data are written out: the hash stands for more.
	maxAskedBytes = 256
	// maxAskedLines is how many parts of what was asked for are told apart.
	maxAskedLines = 64
)

// describeAsked is what was asked for, a part on a line, in a form in which equal things are equal.
func describeAsked(parts []string) string {
	if len(parts) > maxAskedLines {
		rest := strings.Join(parts[maxAskedLines-1:], "\n")
		last := fmt.Sprintf("%d more with hash %s", len(parts)-maxAskedLines+1, crypto.Keccak256Hash([]byte(rest)))
		parts = append(slices.Clone(parts[:maxAskedLines-1]), last)
	}
	return strings.Join(parts, "\n")
}

// differs says how a send differs from what its key was used for, empty where it does not.
func differs(was, is *outbox.Send) string {
	switch {
	case was.Kind != is.Kind:
		return fmt.Sprintf("is a %s, not a %s", was.Kind, is.Kind)
	case was.EntryPoint != is.EntryPoint:
		return fmt.Sprintf("is a send through EntryPoint %s, not %s", was.EntryPoint, is.EntryPoint)
	case was.Asked == is.Asked:
		return ""
	}
	before, now := strings.Split(was.Asked, "\n"), strings.Split(is.Asked, "\n")
	if len(before) != len(now) {
		return fmt.Sprintf("is a %s of %d parts, not %d", was.Kind, len(before), len(now))
	}
	for i := range before {
		if before[i] != now[i] {
			return fmt.Sprintf("is a %s with %s, not %s", was.Kind, before[i], now[i])
		}
	}
	return ""
}

// askedCalls is what calls are.
func askedCalls(calls []Call) []string {
	parts := make([]string, len(calls))
	for i := range calls {
		call := &calls[i]
		parts[i] = fmt.Sprintf("call %d to %s", i, call.To)
		if !call.Value.IsZero() {
			parts[i] += " of " + call.Value.Dec() + " wei"
		}
		if len(call.Data) > 0 {
			parts[i] += " with " + askedData(call.Data)
		}
	}
	return parts
}

func askedData(data []byte) string {
	if len(data) > maxAskedBytes {
		return fmt.Sprintf("%d bytes of hash %s", len(data), crypto.Keccak256Hash(data))
	}
	return hexutil.Encode(data)
}

// askedPolicies is what a grant gives. The window is no part of it: most count from the moment of the call.
func askedPolicies(m policy.Modules, policies []policy.Policy) ([]string, error) {
	parts := make([]string, len(policies))
	for i, p := range policies {
		if p == nil {
			return nil, fmt.Errorf("%w: policy %d is nil", policy.ErrInvalid, i)
		}
		compiled, err := p.Compile(m.WithDefaults())
		if err != nil {
			return nil, fmt.Errorf("policy %d: %w", i, err)
		}
		parts[i] = fmt.Sprintf("policy %d of module %s with %s", i, compiled.Module, askedData(compiled.Data))
		if id := session.NameOf(p); id != "" {
			parts[i] += fmt.Sprintf(" as %q", id)
		}
	}
	return parts, nil
}

// askedIDs is which sessions are meant, in whatever order; all for none.
func askedIDs(ids []string) []string {
	if len(ids) == 0 {
		return []string{"all sessions"}
	}
	parts := make([]string, len(ids))
	for i, id := range slices.Sorted(slices.Values(ids)) {
		parts[i] = fmt.Sprintf("session %q", id)
	}
	return slices.Compact(parts)
}

// askedModule is which module is meant.
func askedModule(module common.Address, setup []byte) []string {
	part := "module " + module.Hex()
	if len(setup) > 0 {
		part += " set up with " + askedData(setup)
	}
	return []string{part}
}

// askedWithdrawals is what leaves the account.
func askedWithdrawals(withdrawals []Withdrawal) []string {
	parts := make([]string, len(withdrawals))
	for i := range withdrawals {
		w := &withdrawals[i]
		amount := w.Amount.Dec()
		if w.All {
			amount = "all"
		}
		parts[i] = fmt.Sprintf("withdrawal %d of %s of token %s to %s", i, amount, w.Token, w.To)
	}
	return parts
}
