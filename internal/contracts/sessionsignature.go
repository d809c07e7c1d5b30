package contracts

import (
	"errors"
	"fmt"
	"math/big"
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
)

var singleSignature = sync.OnceValue(func() *abi.Function {
	return abi.MustParseFunction("function signature() returns " +
		"(uint48 validUntil, uint48 validAfter, address module, bytes data, bytes32[] proof, bytes signature)")
})

// ErrNoSessionSignature means that a signature is not one that session keys made.
var ErrNoSessionSignature = errors.New("not the signature of a session key")

// DecodeSessionSignatures reads which sessions an operation's signature names, as the session key manager or
// the router does: what [WrapSignature] makes of a [SessionSignature] for the manager, or of a
// [BatchSignature] for the router. A signature for another module, or for no session at all, is an error
// matching [ErrNoSessionSignature].
func DecodeSessionSignatures(signature []byte, manager, router common.Address) ([]Authorization, error) {
	wrapped, err := wrappedSignature().UnpackResult(signature)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoSessionSignature, err)
	}
	inner := wrapped[0].([]byte)
	switch module := wrapped[1].(common.Address); module {
	case manager:
		v, err := singleSignature().UnpackResult(inner)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoSessionSignature, err)
		}
		return []Authorization{authorizationOf(v)}, nil
	case router:
		return decodeBatchSignature(inner)
	default:
		return nil, fmt.Errorf("%w: it is for module %s", ErrNoSessionSignature, module)
	}
}

func decodeBatchSignature(signature []byte) ([]Authorization, error) {
	v, err := batchSignature().UnpackResult(signature)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoSessionSignature, err)
	}
	sessions := v[1].([]abi.Tuple)
	if len(sessions) == 0 {
		return nil, fmt.Errorf("%w: it is a batch of none", ErrNoSessionSignature)
	}
	list := make([]Authorization, len(sessions))
	for i, session := range sessions {
		values := make([]any, len(session))
		for n := range session {
			values[n] = session[n].Value
		}
		list[i] = authorizationOf(values)
	}
	return list, nil
}

// authorizationOf is the authorization of its decoded members.
func authorizationOf(v []any) Authorization {
	return Authorization{
		ValidUntil: v[0].(*big.Int).Uint64(),
		ValidAfter: v[1].(*big.Int).Uint64(),
		Module:     v[2].(common.Address),
		Data:       v[3].([]byte),
		Proof:      v[4].([]common.Hash),
	}
}

// LeafHash returns the node that the session is in the account's tree.
func (a *Authorization) LeafHash() common.Hash {
	return SessionLeafHash(a.ValidUntil, a.ValidAfter, a.Module, a.Data)
}
