package session

import "github.com/go-sesame/sesame/internal/contracts"

// encode returns userOp.signature for the grants and the key's signature.
func (s *Signer) encode(grants []grant, keySignature []byte) []byte {
	if !s.batch {
		a := grants[0].authorization()
		return contracts.WrapSignature(contracts.SessionSignature(&a, keySignature), s.modules.Manager)
	}
	calls := make([]contracts.CallAuthorization, len(grants))
	for i := range grants {
		calls[i] = contracts.CallAuthorization{Authorization: grants[i].authorization(), CallData: grants[i].data}
	}
	return contracts.WrapSignature(contracts.BatchSignature(s.modules.Manager, calls, keySignature), s.modules.Router)
}

// authorization is the grant as the contracts take it.
func (g *grant) authorization() contracts.Authorization {
	return contracts.Authorization{
		ValidUntil: g.leaf.ValidUntil,
		ValidAfter: g.leaf.ValidAfter,
		Module:     g.leaf.Module,
		Data:       g.leaf.Data,
		Proof:      g.proof,
	}
}
