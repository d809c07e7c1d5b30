package accounttest

import (
	"context"
	"crypto/ecdsa"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/kit"
	"github.com/go-sesame/sesame/userop"
)

// seal puts valid paymasterAndData into op. It covers all fields but the account's signature: none of them
// may change afterwards.
func (p *Paymaster) seal(ctx context.Context, op *userop.Operation) error {
	now, err := p.estimator.chain.NextTime(ctx)
	if err != nil {
		return err
	}
	data := contracts.VerifyingPaymasterData{Paymaster: p.contract, PaymasterID: p.id, ValidUntil: uint64(now.Add(p.validity).Unix())}
	if data.Signature, err = signHash(p.signer, kit.SponsorHash(op, &data, p.estimator.chain.ChainID())); err != nil {
		return err
	}
	op.PaymasterAndData = data.Pack()
	return nil
}

// signHash is the signer's EIP-191 signature, as both paymaster contracts recover it.
func signHash(signer *ecdsa.PrivateKey, hash common.Hash) ([]byte, error) {
	sig, err := crypto.Sign(accounts.TextHash(hash[:]), signer)
	if err != nil {
		return nil, err
	}
	sig[crypto.RecoveryIDOffset] += 27
	return sig, nil
}
