package session_test

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/internal/testutil"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/memstore"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

type leafVector struct {
	ValidUntil, ValidAfter  uint64
	SessionValidationModule common.Address
	SessionPublicKey        common.Address
	SessionKeyData          hexutil.Bytes
}

func (v leafVector) leaf(id string) session.Leaf {
	return session.Leaf{
		ID: id, Status: session.StatusActive, InTree: true, Key: v.SessionPublicKey,
		Compiled: policy.Compiled{
			ValidUntil: v.ValidUntil, ValidAfter: v.ValidAfter, Module: v.SessionValidationModule, Data: v.SessionKeyData,
		},
	}
}

type signatureVector struct {
	Account           common.Address
	SessionKey        hexutil.Bytes
	SessionKeyAddress common.Address
	Leaves            []leafVector
	MerkleRoot        common.Hash
	UserOpHash        common.Hash
	EOASignature      hexutil.Bytes
	Single            []struct {
		LeafIndex                                  int
		ModuleSignature, Signature, DummySignature hexutil.Bytes
	}
	Batch struct {
		LeafIndexes                                []int
		ModuleSignature, Signature, DummySignature hexutil.Bytes
	}
}

// fixed opens sessions over stored leaves. The reference signs at any time, so the clock stands within every
// window of the vectors.
func fixed(t *testing.T, ref session.Ref, key *ecdsa.PrivateKey, leaves []session.Leaf) (*session.Sessions, *memstore.Store) {
	t.Helper()
	store := memstore.New()
	_, err := store.ImportKey(t.Context(), ref, key)
	require.NoError(t, err)
	hashes := make([]common.Hash, len(leaves))
	for i := range leaves {
		hashes[i] = leaves[i].Hash()
	}
	_, err = store.Apply(t.Context(), ref, 0, &session.Change{
		Header: session.Header{Root: merkle.New(hashes).Root()}, Put: leaves,
	})
	require.NoError(t, err)
	sess, err := session.Open(t.Context(), store, ref)
	require.NoError(t, err)
	return sess, store
}

func TestSignatureVectors(t *testing.T) {
	var vectors struct{ Cases []signatureVector }
	require.NoError(t, json.Unmarshal(testutil.Vectors(t, "signatures.json"), &vectors))
	require.NotEmpty(t, vectors.Cases)
	for n, c := range vectors.Cases {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			key, err := crypto.ToECDSA(c.SessionKey)
			require.NoError(t, err)
			leaves := make([]session.Leaf, len(c.Leaves))
			for i, v := range c.Leaves {
				leaves[i] = v.leaf(fmt.Sprintf("leaf-%d", i))
			}
			sess, _ := fixed(t, session.Ref{ChainID: 1, Account: c.Account}, key, leaves)
			require.Equal(t, c.MerkleRoot, sess.Root())

			for _, single := range c.Single {
				signer, err := session.NewSigner(policy.Modules{}, sess.Leaf(single.LeafIndex))
				require.NoError(t, err)
				requireSignatures(t, signer.Force(), c, single.Signature, single.DummySignature)
			}
			refs := make([]session.LeafRef, len(c.Batch.LeafIndexes))
			for i, index := range c.Batch.LeafIndexes {
				refs[i] = sess.Leaf(index)
			}
			signer, err := session.NewBatchSigner(policy.Modules{}, refs...)
			require.NoError(t, err)
			requireSignatures(t, signer.Force(), c, c.Batch.Signature, c.Batch.DummySignature)
		})
	}
}

func requireSignatures(t *testing.T, signer *session.Signer, c signatureVector, signature, dummy hexutil.Bytes) {
	t.Helper()
	op := &userop.Operation{Sender: c.Account}
	got, err := signer.Sign(t.Context(), op, c.UserOpHash)
	require.NoError(t, err)
	require.Equal(t, signature.String(), hexutil.Encode(got))
	got, err = signer.DummySignature(op)
	require.NoError(t, err)
	require.Equal(t, dummy.String(), hexutil.Encode(got))
}

var (
	testKey, _ = crypto.HexToECDSA("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318")
	testRef    = session.Ref{ChainID: 80002, Account: common.HexToAddress("0x1111111111111111111111111111111111111111")}
)

// plain is a leaf of a module that is not judged locally.
func plain(id string, key common.Address) session.Leaf {
	return session.Leaf{
		ID: id, Status: session.StatusActive, InTree: true, Key: key,
		Compiled: policy.Compiled{
			Module: common.HexToAddress("0x2222222222222222222222222222222222222222"), Data: []byte(id),
		},
	}
}

func keyAddress(key *ecdsa.PrivateKey) common.Address { return crypto.PubkeyToAddress(key.PublicKey) }

func TestLeafChoices(t *testing.T) {
	key := keyAddress(testKey)
	gone := plain("gone", key)
	gone.Status = session.StatusRevoked
	sess, _ := fixed(t, testRef, testKey, []session.Leaf{plain("a", key), plain("b", common.HexToAddress("0x1")), gone})

	tests := []struct {
		name   string
		choose func() session.LeafRef
		want   string
		is     error
		text   string
	}{
		{name: "index 0 is the first leaf", choose: func() session.LeafRef { return sess.Leaf(0) }, want: "a"},
		{name: "index", choose: func() session.LeafRef { return sess.Leaf(1) }, want: "b"},
		{name: "ID", choose: func() session.LeafRef { return sess.ByID("b") }, want: "b"},
		{name: "only one of a key in force", choose: func() session.LeafRef { return sess.ByKey(key) }, want: "a"},
		{name: "index after the end", choose: func() session.LeafRef { return sess.Leaf(3) }, is: session.ErrNoLeaf,
			text: "no such session leaf: leaf 3 of account 0x1111111111111111111111111111111111111111 on chain 80002; it has leaves 0 to 2"},
		{name: "negative index", choose: func() session.LeafRef { return sess.Leaf(-1) }, is: session.ErrNoLeaf,
			text: "no such session leaf: leaf -1 of account 0x1111111111111111111111111111111111111111 on chain 80002; it has leaves 0 to 2"},
		{name: "unknown ID", choose: func() session.LeafRef { return sess.ByID("x") }, is: session.ErrNoLeaf,
			text: `no such session leaf: "x" of account 0x1111111111111111111111111111111111111111 on chain 80002, which has "a", "b", "gone"`},
		{name: "zero value", choose: func() session.LeafRef { return session.LeafRef{} }, is: session.ErrNoLeaf,
			text: "no such session leaf: a LeafRef is made by Sessions.Leaf, ByID or ByKey"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leaf, err := tt.choose().Leaf()
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
				require.EqualError(t, err, tt.text)
				_, err = session.NewSigner(policy.Modules{}, tt.choose())
				require.ErrorIs(t, err, tt.is)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, leaf.ID)
		})
	}
}

func TestFault07IndexZeroIsTheFirstLeafAndLookupsAreNeverFirstMatch(t *testing.T) {
	key := keyAddress(testKey)
	sess, _ := fixed(t, testRef, testKey, []session.Leaf{plain("first", key), plain("second", key)})
	leaf, err := sess.Leaf(0).Leaf()
	require.NoError(t, err)
	require.Equal(t, "first", leaf.ID)
	_, err = sess.ByKey(key).Leaf()
	require.ErrorIs(t, err, session.ErrAmbiguous)
	require.ErrorContains(t, err, "[first second]")
}

func TestFault08BatchChecksEverySigner(t *testing.T) {
	sess, _ := fixed(t, testRef, testKey, []session.Leaf{
		plain("mine", keyAddress(testKey)), plain("other", common.HexToAddress("0x99")),
	})
	_, err := session.NewBatchSigner(policy.Modules{}, sess.Leaf(0), sess.Leaf(1))
	require.ErrorIs(t, err, session.ErrWrongKey)
	require.ErrorContains(t, err, "leaf 1 of the batch belongs to key 0x0000000000000000000000000000000000000099")
}

// A module compares the signer with the key that its data names; a zero key is nobody's.
func TestCheckCallsWantsTheKeyThatTheDataNames(t *testing.T) {
	data, err := abi.Pack("transfer(address,uint256)", policyTo, 1)
	require.NoError(t, err)
	tests := []struct {
		policy policy.Policy
		keyAt  int
		call   abi.Call
	}{
		{buyPolicy(), 0, buyCall(t, 7, 5)},
		{transferPolicy(), 12, abi.Call{To: policyNFT, Data: data}},
	}
	for _, test := range tests {
		for _, named := range []common.Address{keyAddress(testKey), policyTo, {}} {
			leaf := leafOf(t, "abc", test.policy)
			leaf.ValidUntil, leaf.Key = 0, keyAddress(testKey)
			copy(leaf.Data[test.keyAt:], named[:])
			sess, _ := fixed(t, testRef, testKey, []session.Leaf{leaf})
			signer, err := session.NewSigner(policy.Modules{}, sess.Leaf(0))
			require.NoError(t, err)
			err = signer.CheckCalls(contracts.Execute(test.call.To, test.call.Value, test.call.Data), []abi.Call{test.call})
			if named == leaf.Key {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, session.ErrWrongKey)
			require.ErrorContains(t, err, "session abc belongs to key "+leaf.Key.Hex()+", but what was granted names key "+named.Hex())
		}
	}
}

func TestFault08CallDataIsBytesNotText(t *testing.T) {
	sess, _ := fixed(t, testRef, testKey, []session.Leaf{plain("a", keyAddress(testKey))})
	sign := func(data []byte) []byte {
		signer, err := session.NewBatchSigner(policy.Modules{}, sess.Leaf(0).WithCallData(data))
		require.NoError(t, err)
		signature, err := signer.Sign(t.Context(), &userop.Operation{Sender: testRef.Account}, common.Hash{1})
		require.NoError(t, err)
		return signature
	}
	require.Len(t, sign([]byte{0xab, 0xcd}), len(sign(nil))+32)
	require.Contains(t, hexutil.Encode(sign([]byte{0xab, 0xcd})), "abcd"+"000000000000")
}

func TestRevokedLeafStopsSigningInOtherHandles(t *testing.T) {
	sess, store := fixed(t, testRef, testKey, []session.Leaf{plain("a", keyAddress(testKey)), plain("b", keyAddress(testKey))})
	signer, err := session.NewSigner(policy.Modules{}, sess.Leaf(0))
	require.NoError(t, err)
	op := &userop.Operation{Sender: testRef.Account}
	_, err = signer.Sign(t.Context(), op, common.Hash{1})
	require.NoError(t, err)

	other, err := session.Open(t.Context(), store, testRef)
	require.NoError(t, err)
	plan, err := other.PlanRevoke("a")
	require.NoError(t, err)
	begin(t, plan, 2)

	for _, s := range []*session.Signer{signer, signer.Force()} {
		_, err = s.Sign(t.Context(), op, common.Hash{1})
		require.ErrorIs(t, err, session.ErrRevoked)
	}
	rest, err := session.NewSigner(policy.Modules{}, sess.Leaf(1))
	require.NoError(t, err)
	_, err = rest.Sign(t.Context(), op, common.Hash{1})
	require.NoError(t, err, "the other session still signs under the old root")
}

func TestSignRefusals(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	key := keyAddress(testKey)
	old, young, pending, foreign := plain("old", key), plain("young", key), plain("pending", key), plain("foreign", common.HexToAddress("0x99"))
	old.ValidUntil = uint64(now.Unix()) - 1
	young.ValidAfter = uint64(now.Unix()) + 1
	pending.Status = session.StatusPending
	leaves := []session.Leaf{old, young, pending, foreign, plain("good", key)}
	_, store := fixed(t, testRef, testKey, leaves)
	sess, err := session.Open(t.Context(), store, testRef, session.WithClock(func() time.Time { return now }))
	require.NoError(t, err)

	tests := []struct {
		id, text string
		is       error
		sender   common.Address
	}{
		{id: "old", is: session.ErrExpired, text: "session is expired: session old of " + testRef.String() + " ended at 2026-11-01T11:59:59Z; grant a new session"},
		{id: "young", is: session.ErrNotYetValid, text: "session is not yet valid: session young of " + testRef.String() + " starts at 2026-11-01T12:00:01Z; wait until then"},
		{id: "pending", is: session.ErrPending, text: "session is pending: session pending was not seen in the account's root on chain yet; wait for its operation and call Activate, or Reconcile after a crash"},
		{id: "foreign", is: session.ErrNoKey, text: "sign with session key 0x0000000000000000000000000000000000000099: session key missing: no key 0x0000000000000000000000000000000000000099 for account 0x1111111111111111111111111111111111111111 on chain 80002; import it into the keyring or grant a session to a key it holds"},
		{id: "good", sender: common.HexToAddress("0x3"), is: policy.ErrInvalid, text: "invalid input: operation of 0x0000000000000000000000000000000000000003 with a session of account 0x1111111111111111111111111111111111111111 on chain 80002"},
	}
	for _, tt := range tests {
		t.Run(tt.id, func(t *testing.T) {
			signer, err := session.NewSigner(policy.Modules{}, sess.ByID(tt.id))
			require.NoError(t, err)
			op := &userop.Operation{Sender: testRef.Account}
			if tt.sender != (common.Address{}) {
				op.Sender = tt.sender
			}
			_, err = signer.Sign(t.Context(), op, common.Hash{1})
			require.ErrorIs(t, err, tt.is)
			require.EqualError(t, err, tt.text)
		})
	}
}

// liar is a keyring whose signatures are not what they should be.
type liar struct {
	session.Keyring
	sign func(session.SignRequest) ([]byte, error)
}

func (l liar) SignDigest(_ context.Context, req session.SignRequest) ([]byte, error) {
	return l.sign(req)
}

func TestKeyringIsNotTrusted(t *testing.T) {
	_, store := fixed(t, testRef, testKey, []session.Leaf{plain("a", keyAddress(testKey))})
	stranger, err := crypto.GenerateKey()
	require.NoError(t, err)
	tests := []struct {
		name, text string
		sign       func(session.SignRequest) ([]byte, error)
	}{
		{"other key", " signed, not ", func(r session.SignRequest) ([]byte, error) { return crypto.Sign(r.Digest[:], stranger) }},
		{"other digest", " signed, not ", func(r session.SignRequest) ([]byte, error) { return crypto.Sign(r.UserOpHash[:], testKey) }},
		{"short", "signature has 64 bytes, want 65", func(session.SignRequest) ([]byte, error) { return make([]byte, 64), nil }},
		{"zero", "recovers no key", func(session.SignRequest) ([]byte, error) { return make([]byte, 65), nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sess, err := session.Open(t.Context(), store, testRef, session.WithKeyring(liar{sign: tt.sign}))
			require.NoError(t, err)
			signer, err := session.NewSigner(policy.Modules{}, sess.Leaf(0))
			require.NoError(t, err)
			_, err = signer.Sign(t.Context(), &userop.Operation{Sender: testRef.Account}, common.Hash{1})
			require.ErrorIs(t, err, session.ErrWrongKey)
			require.ErrorContains(t, err, tt.text)
		})
	}
	t.Run("v of 27", func(t *testing.T) {
		sess, err := session.Open(t.Context(), store, testRef, session.WithKeyring(liar{sign: func(r session.SignRequest) ([]byte, error) {
			sig, err := crypto.Sign(r.Digest[:], testKey)
			sig[64] += 27
			return sig, err
		}}))
		require.NoError(t, err)
		signer, err := session.NewSigner(policy.Modules{}, sess.Leaf(0))
		require.NoError(t, err)
		_, err = signer.Sign(t.Context(), &userop.Operation{Sender: testRef.Account}, common.Hash{1})
		require.NoError(t, err)
	})
}

func TestSignedWithOneSecp256k1Signature(t *testing.T) {
	count := 0
	_, store := fixed(t, testRef, testKey, []session.Leaf{plain("a", keyAddress(testKey))})
	sess, err := session.Open(t.Context(), store, testRef, session.WithKeyring(liar{sign: func(r session.SignRequest) ([]byte, error) {
		count++
		return crypto.Sign(r.Digest[:], testKey)
	}}))
	require.NoError(t, err)
	signer, err := session.NewSigner(policy.Modules{}, sess.Leaf(0))
	require.NoError(t, err)
	op := &userop.Operation{Sender: testRef.Account}
	_, err = signer.DummySignature(op)
	require.NoError(t, err)
	require.Zero(t, count, "estimation needs no key")
	_, err = signer.Sign(t.Context(), op, common.Hash{1})
	require.NoError(t, err)
	require.Equal(t, 1, count)
}

func TestSignEndsWithItsContext(t *testing.T) {
	sess, _ := fixed(t, testRef, testKey, []session.Leaf{plain("a", keyAddress(testKey))})
	signer, err := session.NewSigner(policy.Modules{}, sess.Leaf(0))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = signer.Sign(ctx, &userop.Operation{Sender: testRef.Account}, common.Hash{1})
	require.True(t, errors.Is(err, context.Canceled))
}

// TestSignerThatHangs has a remote signer that knows no context answer too late: a revocation gets through
// meanwhile, and the signature is thrown away.
func TestSignerThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, store := fixed(t, testRef, testKey, []session.Leaf{plain("a", keyAddress(testKey))})
		asked, answer := make(chan struct{}), make(chan struct{})
		sess, err := session.Open(t.Context(), store, testRef, session.WithKeyring(liar{sign: func(r session.SignRequest) ([]byte, error) {
			close(asked)
			<-answer
			return crypto.Sign(r.Digest[:], testKey)
		}}))
		require.NoError(t, err)
		signer, err := session.NewSigner(policy.Modules{}, sess.Leaf(0))
		require.NoError(t, err)
		var signature []byte
		signed := make(chan error)
		go func() {
			var err error
			signature, err = signer.Sign(t.Context(), &userop.Operation{Sender: testRef.Account}, common.Hash{1})
			signed <- err
		}()
		<-asked
		begin := time.Now()
		require.NoError(t, sess.Suspend(t.Context(), "a"))
		require.Equal(t, session.MaxHold, time.Since(begin))
		close(answer)
		err = <-signed
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualError(t, err, "sessions of "+testRef.String()+" were not held to the end: the signer took longer than 10s: context deadline exceeded")
		require.Nil(t, signature)
	})
}

func BenchmarkSign(b *testing.B) {
	digest := session.MessageDigest(common.Hash{1})
	b.Run("secp256k1 alone", func(b *testing.B) {
		for b.Loop() {
			if _, err := crypto.Sign(digest[:], testKey); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, n := range []int{1, 10_000} {
		signer, op := benchSigner(b, n), &userop.Operation{Sender: testRef.Account}
		b.Run(fmt.Sprintf("session of %d leaves", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := signer.Sign(b.Context(), op, common.Hash{1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCheckSigned is what each send asks the store before it hands over what a session signed.
func BenchmarkCheckSigned(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		signer, op := benchSigner(b, n), &userop.Operation{Sender: testRef.Account}
		var err error
		op.Signature, err = signer.Sign(b.Context(), op, common.Hash{1})
		require.NoError(b, err)
		for name, check := range map[string]func() error{
			"signer":   func() error { return signer.CheckSigned(b.Context(), op) },
			"sessions": func() error { return signer.Sessions().CheckSigned(b.Context(), policy.Modules{}, op) },
		} {
			b.Run(fmt.Sprintf("%s of %d leaves", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := check(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkSignOnAllCores is for -cpu 1,2,4: the time of one goes down with the cores, as that of bare
// signatures does.
func BenchmarkSignOnAllCores(b *testing.B) {
	digest := session.MessageDigest(common.Hash{1})
	signer, op := benchSigner(b, 100), &userop.Operation{Sender: testRef.Account}
	for name, sign := range map[string]func() error{
		"secp256k1 alone": func() error { _, err := crypto.Sign(digest[:], testKey); return err },
		"session":         func() error { _, err := signer.Sign(b.Context(), op, common.Hash{1}); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := sign(); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// benchSigner signs with one of n leaves.
func benchSigner(b *testing.B, n int) *session.Signer {
	b.Helper()
	leaves := make([]session.Leaf, n)
	for i := range leaves {
		leaves[i] = plain(fmt.Sprint(i), keyAddress(testKey))
	}
	store := memstore.New()
	_, err := store.ImportKey(b.Context(), testRef, testKey)
	require.NoError(b, err)
	hashes := make([]common.Hash, n)
	for i := range leaves {
		hashes[i] = leaves[i].Hash()
	}
	_, err = store.Apply(b.Context(), testRef, 0, &session.Change{Header: session.Header{Root: merkle.New(hashes).Root()}, Put: leaves})
	require.NoError(b, err)
	sess, err := session.Open(b.Context(), store, testRef)
	require.NoError(b, err)
	signer, err := session.NewSigner(policy.Modules{}, sess.Leaf(n/2))
	require.NoError(b, err)
	return signer
}

// TestSigningWhileTheStoreChanges signs from many goroutines while others grant and revoke: every signature
// belongs to a version in which its leaf was in force.
func TestSigningWhileTheStoreChanges(t *testing.T) {
	chain := &ledger{}
	sess, _ := granted(t, chain, "keep", "drop")
	var group errgroup.Group
	for range 8 {
		group.Go(func() error {
			for range 25 {
				for _, id := range []string{"keep", "drop"} {
					if err := trySign(t, sess, id); err != nil && !errors.Is(err, session.ErrRevoked) {
						return err
					}
				}
			}
			return nil
		})
	}
	revoke, err := sess.PlanRevoke("drop")
	require.NoError(t, err)
	begin(t, revoke, 2)
	require.ErrorIs(t, trySign(t, sess, "drop"), session.ErrRevoked)
	require.NoError(t, group.Wait())
	require.NoError(t, trySign(t, sess, "keep"))
}
