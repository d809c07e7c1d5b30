package contracts

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
)

// undeployedMagic ends a signature in the form of ERC-6492.
var undeployedMagic = bytes.Repeat([]byte{0x64, 0x92}, 16)

// UndeployedSignature is a signature with what deploys the account that made it (ERC-6492).
type UndeployedSignature struct {
	Factory common.Address
	// Deploy is what the factory is called with.
	Deploy    []byte
	Signature []byte
}

// Pack returns the signature in the form of ERC-6492: abi.encode(address factory, bytes factoryCalldata,
// bytes signature) ‖ magic.
func (u *UndeployedSignature) Pack() []byte {
	const head = 3 * abiword.Size
	deploySize := abiword.BytesSize(len(u.Deploy))
	wrapped := make([]byte, 0, head+deploySize+abiword.BytesSize(len(u.Signature))+len(undeployedMagic))
	wrapped = abiword.AppendAddress(wrapped, u.Factory)
	wrapped = abiword.AppendUint64(wrapped, head)
	wrapped = abiword.AppendUint64(wrapped, uint64(head+deploySize))
	wrapped = abiword.AppendBytes(wrapped, u.Deploy)
	wrapped = abiword.AppendBytes(wrapped, u.Signature)
	return append(wrapped, undeployedMagic...)
}

var undeployedForm = sync.OnceValue(func() *abi.Function {
	return abi.MustParseFunction("function unwrap() returns (address factory, bytes deploy, bytes signature)")
})

// DecodeUndeployedSignature reads a signature in the form of ERC-6492, or takes one as it is: then wrapped is
// false, and only Signature is set.
func DecodeUndeployedSignature(signature []byte) (u UndeployedSignature, wrapped bool, err error) {
	body, wrapped := bytes.CutSuffix(signature, undeployedMagic)
	if !wrapped {
		return UndeployedSignature{Signature: signature}, false, nil
	}
	values, err := undeployedForm().UnpackResult(body)
	if err != nil {
		return UndeployedSignature{}, true, fmt.Errorf("it ends as ERC-6492 has it, but does not decode: %w", err)
	}
	return UndeployedSignature{
		Factory:   values[0].(common.Address),
		Deploy:    values[1].([]byte),
		Signature: values[2].([]byte),
	}, true, nil
}
