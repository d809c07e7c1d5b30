package testutil

import (
	"context"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/userop"
)

// seal puts valid paymasterAndData into op. It covers all fields but the account's signature: none of them
// may change afterwards.
func (p *Paymaster) seal(ctx context.Context, op *userop.Operation) error {
	now, err := p.estimator.chain.NextTime(ctx)
	if err != nil {
		return err
	}
	until := uint64(now.Add(p.validity).Unix())
	sig, err := p.sign(p.hash(op, until, 0))
	if err != nil {
		return err
	}
	op.PaymasterAndData = p.pack(until, 0, sig)
	return nil
}

// sign is the signer's EIP-191 signature, as both paymaster contracts recover it.
func (p *Paymaster) sign(hash common.Hash) ([]byte, error) {
	sig, err := crypto.Sign(accounts.TextHash(hash[:]), p.signer)
	if err != nil {
		return nil, err
	}
	sig[crypto.RecoveryIDOffset] += 27
	return sig, nil
}

// stub puts paymasterAndData of the right shape into op, which the contract does not accept.
func (p *Paymaster) stub(op *userop.Operation) {
	const latest = 1<<48 - 1
	op.PaymasterAndData = p.pack(latest, 0, stubSignature())
}

// stubSignature is a signature of nobody's.
func stubSignature() []byte {
	return common.FromHex("0x73c3ac716c487ca34bb858247b5ccf1dc354fbaabdd089af3b2ac8e78ba85a4959a2d76250325bd67c11771c31fccda87c33ceec17cc0de912690521bb95ffcb1b")
}

// pack returns paymaster ‖ abi.encode(address paymasterId, uint48 validUntil, uint48 validAfter, bytes sig).
func (p *Paymaster) pack(until, after uint64, sig []byte) []byte {
	data := append([]byte{}, p.contract[:]...)
	data = abiword.AppendAddress(data, p.id)
	data = abiword.AppendUint64(data, until)
	data = abiword.AppendUint64(data, after)
	data = abiword.AppendUint64(data, 4*abi.WordSize)
	return abiword.AppendBytes(data, sig)
}

// hash is the contract's getHash(op, paymasterId, validUntil, validAfter).
func (p *Paymaster) hash(op *userop.Operation, until, after uint64) common.Hash {
	data := packUnpaid(op)
	data = abiword.AppendUint64(data, p.estimator.chain.ChainID())
	data = abiword.AppendAddress(data, p.contract)
	data = abiword.AppendAddress(data, p.id)
	data = abiword.AppendUint64(data, until)
	data = abiword.AppendUint64(data, after)
	return crypto.Keccak256Hash(data)
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
