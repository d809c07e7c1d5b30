package main

import (
	"context"
	"crypto/ecdsa"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/paymaster/paymastertest"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

const chainID = accounttest.DefaultChainID

var (
	user     = accounttest.Address("user of the bench")
	contract = accounttest.Address("contract of the bench")
	userRef  = session.Ref{ChainID: chainID, Account: user}

	entryPoint = contracts.DeployedOn(chainID).EntryPoint
)

// sessionKey is the key of every session here.
func sessionKey() *ecdsa.PrivateKey { return accounttest.Key("session of the bench") }

func keyAddress() common.Address { return crypto.PubkeyToAddress(sessionKey().PublicKey) }

// numbered is an address for each number.
func numbered(n int) (address common.Address) {
	binary.BigEndian.PutUint64(address[12:], uint64(n)+1)
	return address
}

// minting lets the key mint for the receiver with that number.
func minting(n int) policy.Policy {
	return policy.ABI{
		Key: keyAddress(), Contract: contract, Function: "safeMint(address to)",
		Rules:  []policy.Rule{policy.Arg("to", policy.Equal, numbered(n))},
		Window: policy.Until(time.Unix(4_000_000_000, 0)),
	}
}

// leafOf is that policy as it was granted.
func leafOf(n int) (session.Leaf, error) {
	compiled, err := minting(n).Compile(policy.Modules{})
	return session.Leaf{ID: fmt.Sprintf("session-%d", n), Status: session.StatusActive, InTree: true, Key: keyAddress(), Compiled: compiled}, err
}

// leaves are as many sessions, and the root of their tree.
func leaves(n int) ([]session.Leaf, common.Hash, error) {
	all, hashes := make([]session.Leaf, n), make([]common.Hash, n)
	for i := range all {
		var err error
		if all[i], err = leafOf(i); err != nil {
			return nil, common.Hash{}, err
		}
		hashes[i] = all[i].Hash()
	}
	return all, merkle.New(hashes).Root(), nil
}

// fill puts as many sessions into a store, as if they had been granted.
func fill(ctx context.Context, store session.Store, ref session.Ref, n int) error {
	all, root, err := leaves(n)
	if err == nil {
		_, err = store.Apply(ctx, ref, 0, &session.Change{Header: session.Header{Root: root}, Put: all})
	}
	return err
}

// call is what the sessions allow: the one of that number.
func call(n int) (abi.Call, error) {
	data, err := abi.Pack("function safeMint(address to)", numbered(n))
	return abi.Call{To: contract, Data: data}, err
}

// sponsored is an operation as it is before the session key signs it, for the session of that number.
func sponsored(n int) (*userop.Operation, error) {
	c, err := call(n)
	if err != nil {
		return nil, err
	}
	op := &userop.Operation{
		Sender: user, CallData: contracts.Execute(c.To, uint256.Int{}, c.Data), PaymasterAndData: paymastertest.PaymasterAndData(),
		CallGasLimit: *uint256.NewInt(100_000), VerificationGasLimit: *uint256.NewInt(200_000), PreVerificationGas: *uint256.NewInt(50_000),
		MaxFeePerGas: *uint256.NewInt(2_000_000_000), MaxPriorityFeePerGas: *uint256.NewInt(1_000_000_000),
	}
	op.Nonce.SetBytes(append(common.FromHex("0x1234567890abcdef1234567890abcdef1234567890abcdef"), make([]byte, 8)...))
	return op, nil
}

// signing is what makes a signature here: hash, proof, key signature and encoding.
type signing struct {
	store  *memstore.Store
	signer *session.Signer
	op     *userop.Operation
}

// newSigning is with one of so many leaves, in memory.
func newSigning(ctx context.Context, n int) (*signing, error) {
	s := &signing{store: memstore.New()}
	if _, err := s.store.ImportKey(ctx, userRef, sessionKey()); err != nil {
		return nil, err
	}
	if err := fill(ctx, s.store, userRef, n); err != nil {
		return nil, err
	}
	sess, err := session.Open(ctx, s.store, userRef)
	if err != nil {
		return nil, err
	}
	if s.signer, err = session.NewSigner(policy.Modules{}, sess.Leaf(n/2)); err != nil {
		return nil, err
	}
	s.op, err = sponsored(n / 2)
	return s, err
}

func (s *signing) sign(ctx context.Context) ([]byte, error) {
	return s.signer.Sign(ctx, s.op, s.op.Hash(entryPoint, chainID))
}
