package session

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// deployment returns the contracts that operations of the account meet: the well-known ones, but for those
// that the chain names.
func (s *Sessions) deployment() contracts.Deployment {
	d := contracts.DeployedOn(s.ref.ChainID)
	if s.chain != nil {
		d.EntryPoint, d.SessionKeyManager = s.chain.SessionContracts()
	}
	return d
}

// endOf returns the block time after which the operation is never included, 0 where that is not known.
func (s *Sessions) endOf(op *userop.Operation) uint64 {
	d, packed := s.deployment(), contracts.UserOperation(*op)
	return contracts.OperationEnd(&packed, &d)
}

// checkOperation returns an error matching [policy.ErrInvalid] unless op is the account's own, has that
// userOpHash, and sets that root and no other.
func (s *Sessions) checkOperation(op *userop.Operation, hash, root common.Hash) error {
	if op == nil {
		return fmt.Errorf("%w: no operation that sets the session root of %s", policy.ErrInvalid, s.ref)
	}
	d := s.deployment()
	if op.Sender != s.ref.Account {
		return fmt.Errorf("%w: an operation of %s does not set the session root of %s", policy.ErrInvalid, op.Sender, s.ref)
	}
	if is := op.Hash(d.EntryPoint, s.ref.ChainID); is != hash {
		return fmt.Errorf("%w: the operation is not %s but %s, at EntryPoint %s on chain %d%s", policy.ErrInvalid, hash, is, d.EntryPoint, s.ref.ChainID, s.otherContracts())
	}
	calls, err := contracts.DecodeExecute(op.CallData)
	if err != nil {
		return fmt.Errorf("%w: operation %s does not set the session root of %s: %w", policy.ErrInvalid, hash, s.ref, err)
	}
	sets := false
	for n, call := range calls {
		// To a module of its own the account would do what the module says, such as setting a root.
		if call.To == op.Sender && len(call.Data) > 0 && !contracts.IsModuleChange(call.Data) {
			return fmt.Errorf("%w: call %d of operation %s calls the account itself with %s, which may set another root; beside a root only modules are enabled and disabled there, send it on its own", policy.ErrInvalid, n, hash, abiword.Describe(call.Data))
		}
		if call.To != d.SessionKeyManager || !contracts.IsSetMerkleRoot(call.Data) {
			continue
		}
		if is, ok := contracts.DecodeSetMerkleRoot(call.Data); !ok || is != root {
			return fmt.Errorf("%w: call %d of operation %s sets the session root 0x%x, the change is to %s", policy.ErrInvalid, n, hash, rootIn(call.Data), root)
		}
		sets = true
	}
	if !sets {
		return fmt.Errorf("%w: operation %s does not call setMerkleRoot of session key manager %s, the change is to root %s%s", policy.ErrInvalid, hash, d.SessionKeyManager, root, s.otherContracts())
	}
	return nil
}

// otherContracts says what to do where the contracts are not the well-known ones.
func (s *Sessions) otherContracts() string {
	if s.chain != nil {
		return ""
	}
	return "; for contracts of your own give the sessions their chain, with WithChain or On"
}

// rootIn is what calldata has where a root should be, as far as that is of use in an error.
func rootIn(callData []byte) []byte { return callData[4:min(len(callData), 4+common.HashLength)] }
