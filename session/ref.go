package session

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/session/policy"
)

// Ref names the sessions of one smart account on one chain. It is the key of every [Store] and
// [Keyring]: the same account on another chain has other sessions.
type Ref struct {
	ChainID uint64
	Account common.Address
}

// String returns "account 0x… on chain 80002".
func (r Ref) String() string {
	return fmt.Sprintf("account %s on chain %d", r.Account, r.ChainID)
}

// Validate returns an error if the chain or the account is missing.
func (r Ref) Validate() error {
	switch {
	case r.ChainID == 0:
		return fmt.Errorf("%w: session reference without a chain ID", policy.ErrInvalid)
	case r.Account == (common.Address{}):
		return fmt.Errorf("%w: session reference without an account", policy.ErrInvalid)
	}
	return nil
}
