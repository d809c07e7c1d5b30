package kit

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// SponsorHash is what the sponsor signs for an operation: the verifying paymaster's getHash(op, paymasterId,
// validUntil, validAfter).
func SponsorHash(op *userop.Operation, data *contracts.VerifyingPaymasterData, chainID uint64) common.Hash {
	packed := packUnpaid(op)
	packed = abiword.AppendUint64(packed, chainID)
	packed = abiword.AppendAddress(packed, data.Paymaster)
	packed = abiword.AppendAddress(packed, data.PaymasterID)
	packed = abiword.AppendUint64(packed, data.ValidUntil)
	packed = abiword.AppendUint64(packed, data.ValidAfter)
	return crypto.Keccak256Hash(packed)
}

// TokenHash is what is signed for an operation that is paid in a token: the token paymaster's getHash(op,
// source, price).
func TokenHash(op *userop.Operation, data *contracts.TokenPaymasterData, chainID uint64) common.Hash {
	packed := packUnpaid(op)
	packed = abiword.AppendUint64(packed, chainID)
	packed = abiword.AppendAddress(packed, data.Paymaster)
	packed = abiword.AppendUint64(packed, uint64(data.Source))
	return crypto.Keccak256Hash(append(packed, data.PackTerms()...))
}

// packUnpaid encodes all fields of op but paymasterAndData and the signature.
func packUnpaid(op *userop.Operation) []byte {
	data := abiword.AppendAddress(nil, op.Sender)
	data = abiword.AppendUint256(data, &op.Nonce)
	data = abiword.AppendWord(data, crypto.Keccak256Hash(op.InitCode))
	data = abiword.AppendWord(data, crypto.Keccak256Hash(op.CallData))
	for _, field := range []*uint256.Int{
		&op.CallGasLimit, &op.VerificationGasLimit, &op.PreVerificationGas, &op.MaxFeePerGas, &op.MaxPriorityFeePerGas,
	} {
		data = abiword.AppendUint256(data, field)
	}
	return data
}
