package accounttest

import (
	"context"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
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
	data := contracts.VerifyingPaymasterData{Paymaster: p.contract, PaymasterID: p.id, ValidUntil: until, Signature: sig}
	op.PaymasterAndData = data.Pack()
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
