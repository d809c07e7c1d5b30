package model

import (
	"errors"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// rootSlot is an account's session root at the session key manager.
const rootSlot = "session root"

// managerMethods are those of the session key manager.
func managerMethods() map[string]method {
	methods := noSignatureMethods()
	methods["setMerkleRoot(bytes32)"] = take1((*input).head, func(c *call, root common.Hash) ([]byte, error) {
		c.set(c.slot(rootSlot, word(c.from)), root)
		return nothing()
	})
	methods["getSessionKeys(address)"] = take1((*input).address, func(c *call, account common.Address) ([]byte, error) {
		root := c.words[c.slot(rootSlot, word(account))]
		return root[:], nil
	})
	return methods
}

// granted is a session as a signature brings it along.
type granted struct {
	policy.Compiled
	proof []common.Hash
	// last is the key's signature or, in a batch, what is for the call alone.
	last []byte
}

// readGranted reads (uint48, uint48, address, bytes, bytes32[], bytes).
func readGranted(in *input) granted {
	return granted{
		Compiled: policy.Compiled{ValidUntil: in.time(0), ValidAfter: in.time(1), Module: in.address(2), Data: in.bytes(3)},
		proof:    each(in, 4, (*input).head),
		last:     in.bytes(5),
	}
}

// requireGranted reverts unless the session is in the account's tree, as the manager has it.
func (m *Machine) requireGranted(manager, account common.Address, g *granted) error {
	if manager != m.Addresses.SessionKeyManager {
		return bare() // nothing else here has validateSessionKey
	}
	root := m.words[slot{at: manager, name: rootSlot, a: word(account)}]
	if !merkle.Verify(root, g.Hash(), g.proof) {
		return reason("SessionNotApproved")
	}
	return nil
}

// validateSession is the session key manager's judgement of an operation with a single call.
func validateSession(c *call, op *userop.Operation, hash common.Hash) (validation, error) {
	sig, _, err := unwrap(op.Signature)
	if err != nil {
		return validation{}, err
	}
	in := &input{data: sig}
	session := readGranted(in)
	if in.bad {
		return validation{}, bare()
	}
	if err := c.requireGranted(c.self, op.Sender, &session); err != nil {
		return validation{}, err
	}
	module, err := c.sessionModule(session.Module)
	if err != nil {
		return validation{}, err
	}
	ok, err := module.allowsOperation(op, hash, &session)
	return validation{failed: !ok, until: session.ValidUntil, after: session.ValidAfter}, err
}

// validateBatch is the batched session router's judgement of an operation with several calls. One without
// calls has no session whose key could be another than the signer.
func validateBatch(c *call, op *userop.Operation, hash common.Hash) (validation, error) {
	switch {
	case len(op.CallData) < abi.SelectorSize:
		return validation{}, bare()
	case !contracts.IsBatch(op.CallData):
		return validation{}, reason("SR Invalid Selector")
	}
	sig, _, err := unwrap(op.Signature)
	if err != nil {
		return validation{}, err
	}
	in := &input{data: sig}
	manager, sessions, signature := in.address(0), readSessions(in, 1), in.bytes(2)
	if in.bad {
		return validation{}, bare()
	}
	if !c.enabled(op.Sender, manager) {
		return validation{}, reason("SR Invalid SKM")
	}
	signer, err := recoverSigner(messageHash(hash), signature)
	if err != nil {
		return validation{}, err
	}
	calls, err := readBatch(op.CallData, len(sessions))
	if err != nil {
		return validation{}, err
	}
	return c.judgeBatch(op.Sender, manager, sessions, signer, calls)
}

// readBatch reads the calls of a batch, of which there are to be n.
func readBatch(callData []byte, n int) ([]abi.Call, error) {
	in := &input{data: callData[abi.SelectorSize:]}
	to, values, data := addresses(in, 0), numbers(in, 1), manyBytes(in, 2)
	switch {
	case in.bad:
		return nil, bare()
	case len(to) != n:
		return nil, reason("Lengths mismatch")
	}
	return zip(to, values, data), nil
}

func readSessions(in *input, i int) []granted {
	bad := false
	sessions := each(in, i, func(list *input, k int) granted {
		entry := list.tuple(k)
		g := readGranted(entry)
		bad = bad || entry.bad
		return g
	})
	in.bad = in.bad || bad
	return sessions
}

// zip puts calls together; what is missing reverts where it is looked at.
func zip(to []common.Address, values []uint256.Int, data [][]byte) []abi.Call {
	calls := make([]abi.Call, min(len(to), len(values), len(data)))
	for i := range calls {
		calls[i] = abi.Call{To: to[i], Value: values[i], Data: data[i]}
	}
	return calls
}

func (c *call) judgeBatch(account, manager common.Address, sessions []granted, signer common.Address, calls []abi.Call) (validation, error) {
	v := validation{until: endless}
	for i := range sessions {
		session := &sessions[i]
		if err := c.requireGranted(manager, account, session); err != nil {
			return validation{}, err
		}
		if i >= len(calls) {
			return validation{}, panicked(0x32) // an index out of bounds
		}
		module, err := c.sessionModule(session.Module)
		if err != nil {
			return validation{}, err
		}
		key, err := module.allowsCall(&session.Compiled, calls[i])
		if err != nil || key != signer {
			return refused, err
		}
		if session.ValidUntil != 0 {
			v.until = min(v.until, session.ValidUntil)
		}
		v.after = max(v.after, session.ValidAfter)
	}
	return v, nil
}

// sessionModule judges calls by the data of a session, as preflight knows it.
type sessionModule struct{ modules policy.Modules }

func (m *Machine) sessionModule(at common.Address) (sessionModule, error) {
	module, ok := m.sessionModules[at]
	switch code := m.contractAt(at); {
	case code == nil:
		return sessionModule{}, bare()
	case !ok:
		return sessionModule{}, &Unknown{To: at, Data: pack("validateSessionUserOp(" + operationTuple + ",bytes32,bytes,bytes)"), Contract: code.name}
	}
	return module, nil
}

// allowsOperation is validateSessionUserOp: whether the operation is within the session, and signed by its
// key.
func (s sessionModule) allowsOperation(op *userop.Operation, hash common.Hash, session *granted) (bool, error) {
	if err := asRevert(policy.CheckOperation(s.modules, &session.Compiled, op.CallData)); err != nil {
		return false, err
	}
	key, _ := session.SessionKey(s.modules)
	signer, err := recoverSigner(messageHash(hash), session.last)
	return err == nil && signer == key, err
}

// allowsCall is validateSessionParams: whose session it is, if it allows the call.
func (s sessionModule) allowsCall(session *policy.Compiled, one abi.Call) (common.Address, error) {
	if err := asRevert(policy.CheckCall(s.modules, session, one)); err != nil {
		return common.Address{}, err
	}
	key, _ := session.SessionKey(s.modules)
	return key, nil
}

// asRevert is a violation as the contract tells it.
func asRevert(err error) error {
	if err == nil {
		return nil
	}
	violation, ok := errors.AsType[*policy.Violation](err)
	if !ok || violation.Reason == "" {
		return bare()
	}
	return reason("%s", violation.Reason)
}
