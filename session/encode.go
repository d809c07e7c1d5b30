package session

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
)

// encode returns userOp.signature for the grants and the key's signature.
func (s *Signer) encode(grants []grant, keySignature []byte) []byte {
	if !s.batch {
		g := &grants[0]
		return WrapSignature(appendAuthorization(nil, g.leaf, g.proof, keySignature), s.modules.Manager)
	}
	return WrapSignature(encodeBatch(s.modules.Manager, grants, keySignature), s.modules.Router)
}

// WrapSignature returns userOp.signature as the smart account reads it, abi.encode(bytes
// moduleSignature, address module): the account loads the module from there and hands it the rest.
func WrapSignature(moduleSignature []byte, module common.Address) []byte {
	dst := make([]byte, 0, 2*abi.WordSize+abi.BytesSize(len(moduleSignature)))
	dst = abi.AppendUint64(dst, 2*abi.WordSize)
	dst = abi.AppendAddress(dst, module)
	return abi.AppendBytes(dst, moduleSignature)
}

// appendAuthorization appends abi.encode(uint48 validUntil, uint48 validAfter, address module, bytes
// sessionKeyData, bytes32[] proof, bytes last): the session key manager's signature, where last is the
// key's signature, and one entry of the router's, where it is the call-specific data.
func appendAuthorization(dst []byte, l *Leaf, proof []common.Hash, last []byte) []byte {
	const head = 6 * abi.WordSize
	dataSize, proofSize := abi.BytesSize(len(l.Data)), abi.HashesSize(len(proof))
	if dst == nil {
		dst = make([]byte, 0, head+dataSize+proofSize+abi.BytesSize(len(last)))
	}
	dst = abi.AppendUint64(dst, l.ValidUntil)
	dst = abi.AppendUint64(dst, l.ValidAfter)
	dst = abi.AppendAddress(dst, l.Module)
	dst = abi.AppendUint64(dst, head)
	dst = abi.AppendUint64(dst, uint64(head+dataSize))
	dst = abi.AppendUint64(dst, uint64(head+dataSize+proofSize))
	dst = abi.AppendBytes(dst, l.Data)
	dst = abi.AppendHashes(dst, proof)
	return abi.AppendBytes(dst, last)
}

func authorizationSize(g *grant) int {
	return 6*abi.WordSize + abi.BytesSize(len(g.leaf.Data)) + abi.HashesSize(len(g.proof)) + abi.BytesSize(len(g.data))
}

// encodeBatch returns abi.encode(address manager, Session[] sessions, bytes sig), the router's signature.
func encodeBatch(manager common.Address, grants []grant, keySignature []byte) []byte {
	const head = 3 * abi.WordSize
	arraySize := abi.WordSize + len(grants)*abi.WordSize
	for i := range grants {
		arraySize += authorizationSize(&grants[i])
	}
	dst := make([]byte, 0, head+arraySize+abi.BytesSize(len(keySignature)))
	dst = abi.AppendAddress(dst, manager)
	dst = abi.AppendUint64(dst, head)
	dst = abi.AppendUint64(dst, uint64(head+arraySize))

	dst = abi.AppendUint64(dst, uint64(len(grants)))
	offset := len(grants) * abi.WordSize
	for i := range grants {
		dst = abi.AppendUint64(dst, uint64(offset))
		offset += authorizationSize(&grants[i])
	}
	for i := range grants {
		dst = appendAuthorization(dst, grants[i].leaf, grants[i].proof, grants[i].data)
	}
	return abi.AppendBytes(dst, keySignature)
}
