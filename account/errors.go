package account

import (
	"errors"

	"github.com/go-sesame/sesame/internal/contracts"
)

// What can be wrong with an account. Errors of this package match one of them, [policy.ErrInvalid] for input
// that can never work, or one of packages session, userop, bundler and paymaster where the cause lies there.
var (
	// ErrConfig is a configuration or a choice of options that cannot work.
	ErrConfig = errors.New("invalid configuration")
	// ErrNotDeployed means that the account has no code yet and only its owner can deploy it.
	ErrNotDeployed = errors.New("account is not deployed")
	// ErrNoAccount means that there is no such account on the chain.
	ErrNoAccount = errors.New("no such account")
	// ErrModuleNotEnabled means that the account would not listen to the validation module.
	ErrModuleNotEnabled = errors.New("module is not enabled")
	// ErrModuleEnabled means that the account listens to the module already.
	ErrModuleEnabled = errors.New("module is enabled already")
	// ErrLockout means that after the operation nobody could act for the account any more.
	ErrLockout = errors.New("would lock the owner out")
	// ErrDeployed means that the account is deployed already.
	ErrDeployed = errors.New("account is deployed already")
	// ErrWrongOwner means that the account belongs to someone else than whoever would sign.
	ErrWrongOwner = errors.New("wrong owner")
	// ErrNoSigner means that nobody was named to sign.
	ErrNoSigner = errors.New("no signer")
	// ErrFunds means that the account holds too little.
	ErrFunds = errors.New("insufficient funds")
	// ErrFundsAtRisk means that after the operation anybody could burn or take what the account holds.
	ErrFundsAtRisk = errors.New("funds would be at anybody's mercy")
	// ErrAllowance means that the token paymaster may not take its fee.
	ErrAllowance = errors.New("insufficient allowance")
	// ErrQuoteExpired means that a quote for a fee is too old.
	ErrQuoteExpired = errors.New("fee quote has expired")
	// ErrNotAsQuoted means that the paymaster asks for something else than its quote said.
	ErrNotAsQuoted = errors.New("not as quoted")
	// ErrPossibleOperation means that a message is 32 bytes long, whose signature is good for the user
	// operation with that hash.
	ErrPossibleOperation = errors.New("message may be a user operation")
	// ErrBadSignature means that a signature is not the account's.
	ErrBadSignature = errors.New("signature is not valid")
	// ErrLanesClosed means that the [Lanes] were closed. A closed store is [session.ErrClosed].
	ErrLanesClosed = errors.New("lanes are closed")
	// ErrLanded means that an operation that was to be cancelled has landed.
	ErrLanded = errors.New("operation has landed")
	// ErrNotExecute means that calldata calls none of the account's four execute functions.
	ErrNotExecute = contracts.ErrNotExecute
	// ErrNoContract means that a contract which accounts need is not on the chain.
	ErrNoContract = errors.New("there is no contract")
	// ErrBadAnswer means that a contract answered with something else than its ABI says; mostly the contract
	// is not deployed at that address on this chain.
	ErrBadAnswer = errors.New("unexpected answer of a contract")
)
