package main

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"os"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session"
)

// measureSigning is of a session signature: hash, proof, key signature and encoding, from a store in memory.
func measureSigning(ctx context.Context, b *bench) error {
	few, err := newSigning(ctx, 100)
	if err != nil {
		return err
	}
	many, err := newSigning(ctx, 100_000)
	if err != nil {
		return err
	}
	ours, err := each(few.once(ctx))
	if err != nil {
		return err
	}
	ofMany, err := each(many.once(ctx))
	if err != nil {
		return err
	}
	without := newBareSigning(few)
	bare, err := each(without.once)
	if err != nil {
		return err
	}
	values, err := interleave(ctx, b.rounds(1500), ours, bare, ofMany)
	if err != nil {
		return err
	}
	b.add(row{
		name: "session signature of 100 leaves ÷ bare", other: fmt.Sprintf("secp256k1 + %d Keccak", without.permutations()), unit: nanoseconds,
		least: 1.08, want: 1.03,
	}, paired(values[0], values[1]))
	b.add(row{
		name: "the same, 100,000 leaves ÷ 100", other: "100 leaves", unit: nanoseconds,
		least: 1.10, want: 1.03,
	}, paired(values[2], values[0]))
	return few.measureAllocations(ctx, b)
}

// measureAllocations is of what a signature allocates beyond its keyring.
func (s *signing) measureAllocations(ctx context.Context, b *bench) error {
	const times = 500
	request := session.SignRequest{Ref: userRef, Key: keyAddress(), Digest: session.MessageDigest(common.Hash{1}), Operation: s.op}
	var pairs []pair
	for range 5 {
		all, err := allocated(times, s.once(ctx))
		if err != nil {
			return err
		}
		keyring, err := allocated(times, func() error {
			_, err := s.store.SignDigest(ctx, request)
			return err
		})
		if err != nil {
			return err
		}
		pairs = append(pairs, pair{ours: all - keyring})
	}
	b.add(row{name: "allocations of a signature beyond the keyring's", unit: allocations, least: 6, want: 2}, pairs)
	return nil
}

func (s *signing) once(ctx context.Context) func() error {
	return func() error {
		_, err := s.sign(ctx)
		return err
	}
}

// bareSigning is what no session signature of an operation can do without: the Keccak permutations of its
// userOpHash and of the message, and one secp256k1 signature by the same backend. Leaf and tree are hashed
// before. What was hashed once and is the same for all operations, an empty initCode, is not hashed either.
type bareSigning struct {
	hasher crypto.KeccakState
	key    *ecdsa.PrivateKey
	inputs [][]byte
	sum    [32]byte
}

const keccakRate = 136

func newBareSigning(s *signing) *bareSigning {
	return &bareSigning{hasher: crypto.NewKeccakState(), key: sessionKey(), inputs: [][]byte{
		s.op.CallData, s.op.PaymasterAndData, make([]byte, 10*abi.WordSize), make([]byte, 3*abi.WordSize), make([]byte, 60),
	}}
}

// permutations is how many the inputs take: one for each block that is full, and one for the rest with its
// padding.
func (s *bareSigning) permutations() (n int) {
	for _, input := range s.inputs {
		n += len(input)/keccakRate + 1
	}
	return n
}

func (s *bareSigning) once() error {
	for _, input := range s.inputs {
		s.hasher.Reset()
		if _, err := s.hasher.Write(input); err != nil {
			return err
		}
		if _, err := s.hasher.Read(s.sum[:]); err != nil {
			return err
		}
	}
	_, err := crypto.Sign(s.sum[:], s.key)
	return err
}

// signerQuestion is what a signing child is asked: to be ready with so many leaves, or to sign as many times,
// and a few before, with a session ("sign") or without ("bare").
type signerQuestion struct {
	Do     string `json:"do"`
	Leaves int    `json:"leaves"`
	Times  int    `json:"times"`
	Warm   int    `json:"warm"`
}

// serveSignatures is the child that signs.
func serveSignatures() error {
	ctx := context.Background()
	var ready *signing
	return serve(os.Stdin, os.Stdout, func(line []byte) (any, error) {
		var q signerQuestion
		if err := json.Unmarshal(line, &q); err != nil {
			return nil, err
		}
		var err error
		switch {
		case q.Do == "prepare":
			if ready, err = newSigning(ctx, q.Leaves); err != nil {
				return nil, err
			}
			signature, err := ready.sign(ctx)
			return map[string]string{"signature": common.Bytes2Hex(signature)}, err
		case q.Do == "sign" && ready != nil:
			return times(&q, ready.once(ctx))
		case q.Do == "bare" && ready != nil:
			return times(&q, newBareSigning(ready).once)
		}
		return nil, fmt.Errorf("%q: not now", q.Do)
	})
}

// times is how long it takes to do something as often as was asked.
func times(q *signerQuestion, do func() error) (map[string]float64, error) {
	if _, err := repeat(q.Warm, do); err != nil {
		return nil, err
	}
	took, err := repeat(q.Times, do)
	return map[string]float64{"nanoseconds": float64(took)}, err
}
