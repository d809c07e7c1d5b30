package accounttest

import (
	"crypto/ecdsa"
	"encoding/binary"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
)

// leaf is a session of one ABI policy, packed by hand.
type leaf struct {
	until, after uint64
	module       common.Address
	keyData      []byte
}

func (l leaf) hash() common.Hash {
	packed := append([]byte{}, uint48(l.until)...)
	packed = append(packed, uint48(l.after)...)
	packed = append(packed, l.module[:]...)
	return crypto.Keccak256Hash(append(packed, l.keyData...))
}

func uint48(v uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, v)[2:]
}

// mintTo lets key call safeMint(to) of the demo NFT.
func mintTo(key, to common.Address) leaf {
	at := WellKnownContracts()
	data := append([]byte{}, key[:]...)
	data = append(data, at.NFT[:]...)
	data = append(data, safeMint(to)[:4]...)
	data = append(data, make([]byte, 16)...) // no value
	data = append(data, 0, 1)                // one rule
	data = append(data, 0, 0, 0)             // word 0 EQUAL
	data = abiword.AppendAddress(data, to)
	return leaf{module: at.ABISessionModule, keyData: data}
}

func safeMint(to common.Address) []byte {
	call, err := abi.Pack("function safeMint(address to)", to)
	if err != nil {
		panic(err)
	}
	return call
}

// sessionBy signs as a session key whose tree has one leaf.
func sessionBy(key *ecdsa.PrivateKey, l leaf) signFunc {
	return func(hash common.Hash) []byte {
		data := abiword.AppendUint64(nil, l.until)
		data = abiword.AppendUint64(data, l.after)
		data = abiword.AppendAddress(data, l.module)
		offset := uint64(6 * abi.WordSize)
		data = abiword.AppendUint64(data, offset)
		offset += uint64(abiword.BytesSize(len(l.keyData)))
		data = abiword.AppendUint64(data, offset)
		data = abiword.AppendUint64(data, offset+uint64(abiword.HashesSize(0)))
		data = abiword.AppendBytes(data, l.keyData)
		data = abiword.AppendHashes(data, nil)
		data = abiword.AppendBytes(data, personalSign(key, hash))
		return moduleSignature(WellKnownContracts().SessionKeyManager, data)
	}
}

// grant enables the session key manager and sets the root to the leaf.
func (s *stage) grant(a owned, l leaf) {
	s.t.Helper()
	s.do(s.draft(a.address, 0, contracts.ExecuteBatch([]abi.Call{
		{To: a.address, Data: contracts.EnableModule(s.chain.Contracts.SessionKeyManager)},
		{To: s.chain.Contracts.SessionKeyManager, Data: contracts.SetMerkleRoot(l.hash())},
	})), ownedBy(a.key))
}

func (s *stage) nfts(of common.Address) uint64 {
	s.t.Helper()
	result, err := s.chain.Call(s.t.Context(), s.chain.Contracts.NFT, contracts.BalanceOf(of))
	require.NoError(s.t, err)
	n, err := contracts.DecodeUint256(result)
	require.NoError(s.t, err)
	return n.Uint64()
}

func (s *stage) mint(to common.Address) []byte {
	return contracts.Execute(s.chain.Contracts.NFT, uint256.Int{}, safeMint(to))
}

func TestSessionEndToEnd(t *testing.T) {
	s := newStage(t, bundlertest.Biconomy)
	user := s.account("owner")
	sessionKey := Key("session")
	session := mintTo(Address("session"), user.address)

	s.deploy(user)
	code, err := s.chain.Client().CodeAt(t.Context(), user.address, nil)
	require.NoError(t, err)
	require.NotEmpty(t, code, "the account is deployed")

	s.grant(user, session)
	receipt := s.do(s.draft(user.address, 0, s.mint(user.address)), sessionBy(sessionKey, session))
	require.EqualValues(t, 1, s.nfts(user.address))
	require.Equal(t, s.chain.Contracts.Paymaster, receipt.Paymaster)

	t.Run("wrong argument", func(t *testing.T) {
		op := s.draft(user.address, 0, s.mint(Address("somebody else")))
		data := requireRPCError(t, s.sponsor(op, sessionBy(sessionKey, session)), codeRejected, "AA23 reverted: ABISV Arg Rule Violated")
		require.Equal(t, "FailedOp 0: AA23 reverted: ABISV Arg Rule Violated", contracts.DecodeRevert(data).String())
		require.EqualValues(t, 0, s.nfts(Address("somebody else")))
	})
	t.Run("foreign key", func(t *testing.T) {
		op := s.draft(user.address, 0, s.mint(user.address))
		require.NoError(t, s.sponsor(op, sessionBy(sessionKey, session)))
		_, err := s.signAndSend(op, sessionBy(Key("thief"), session))
		requireRPCError(t, err, codeSignature, "AA24 signature error")
	})
	t.Run("leaf that was not granted", func(t *testing.T) {
		other := mintTo(Address("session"), Address("somebody else"))
		op := s.draft(user.address, 0, s.mint(Address("somebody else")))
		requireRPCError(t, s.sponsor(op, sessionBy(sessionKey, other)), codeRejected, "AA23 reverted: SessionNotApproved")
	})
}

func TestSessionWindow(t *testing.T) {
	s := newStage(t, bundlertest.Standard)
	user := s.account("owner")
	s.deploy(user)
	now, err := s.chain.NextTime(t.Context())
	require.NoError(t, err)
	session := mintTo(Address("session"), user.address)
	session.after = uint64(now.Add(time.Hour).Unix())
	session.until = uint64(now.Add(2 * time.Hour).Unix())
	s.grant(user, session)
	sign := sessionBy(Key("session"), session)

	mint := func() error {
		op := s.draft(user.address, 0, s.mint(user.address))
		require.NoError(t, s.sponsor(op, sign))
		hash, err := s.signAndSend(op, sign)
		if err == nil {
			s.wait(hash)
		}
		return err
	}
	requireRPCError(t, mint(), codeTimeRange, "AA22 expired or not due")
	require.NoError(t, s.chain.AdjustTime(time.Hour+time.Minute))
	require.NoError(t, mint())
	require.NoError(t, s.chain.AdjustTime(time.Hour))
	requireRPCError(t, mint(), codeTimeRange, "AA22 expired or not due")
	require.EqualValues(t, 1, s.nfts(user.address))
}
