package policy_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/session/policy"
)

// trial is one question to a module and to the preflight.
type trial struct {
	leaf     policy.Compiled
	call     abi.Call
	callData []byte
}

// compare asks both of them about a call in a batch and about an operation of its own. It returns the
// contract's answers.
func (c *contractVM) compare(t testing.TB, q *trial) (batch, single verdict) {
	t.Helper()
	batch = c.validateCall(&q.leaf, q.call)
	require.Equal(t, batch, preflight(t, policy.CheckCall(c.modules, &q.leaf, q.call)), "CheckCall: data %x, call %+v", q.leaf.Data, q.call)
	require.Equal(t, policy.CheckCall(c.modules, &q.leaf, q.call) == nil, q.leaf.Allows(c.modules, q.call), "Allows: data %x, call %+v", q.leaf.Data, q.call)

	single = c.validateOperation(&q.leaf, q.callData)
	got := preflight(t, policy.CheckOperation(c.modules, &q.leaf, q.callData))
	if q.leaf.Module == c.modules.ABI && !got.pass && !inside(q.callData) {
		return batch, single // what lies outside is up to the rest of the operation
	}
	require.Equal(t, single, got, "CheckOperation: data %x, callData %x", q.leaf.Data, q.callData)
	return batch, single
}

func preflight(t testing.TB, err error) verdict {
	t.Helper()
	if err == nil {
		return verdict{pass: true}
	}
	var v *policy.Violation
	require.ErrorAs(t, err, &v)
	return verdict{reason: v.Reason}
}

// inside reports whether the call's data lies within callData, padding included.
func inside(callData []byte) bool {
	if len(callData) < 100 {
		return false
	}
	size := uint64(len(callData)+31) / 32 * 32
	offset := new(uint256.Int).SetBytes(callData[68:100])
	if !offset.IsUint64() || offset.Uint64() > size || offset.Uint64()+36 > size {
		return false
	}
	at := offset.Uint64() + 4
	length := new(uint256.Int).SetBytes(append(callData[:len(callData):len(callData)], make([]byte, 32)...)[at : at+32])
	return length.IsUint64() && length.Uint64() <= size && at+32+length.Uint64() <= size
}

func TestPreflightDifferential(t *testing.T) {
	const trials = 20_000
	seed := differentialSeed(t)
	vm, g := newContractVM(t), newGenerator(seed)
	seen := make(map[string]int)
	for range trials {
		q := g.trial(vm)
		batch, single := vm.compare(t, q)
		seen[fmt.Sprintf("%v batch: %v", q.leaf.Module == vm.modules.ABI, batch)]++
		seen[fmt.Sprintf("%v single: %v", q.leaf.Module == vm.modules.ABI, single)]++
		if q.leaf.Module == vm.modules.ERC20 && batch != single {
			seen[fmt.Sprintf("single: %v, batch: %v", single, batch)]++
		}
	}
	t.Logf("outcomes: %v", seen)
	for _, outcome := range []string{
		"pass", "revert without a reason", "ABISV Destination Forbidden", "ABISV Selector Forbidden",
		"ABISV Permitted Value Exceeded", "ABISV Arg Rule Violated",
	} {
		require.Greater(t, seen["true batch: "+outcome], trials/200, outcome)
		require.Greater(t, seen["true single: "+outcome], trials/200, outcome)
	}
	for _, outcome := range []string{
		"pass", "revert without a reason", "ERC20SV Non Zero Value", "ERC20SV Wrong Recipient", "ERC20SV Max Amount Exceeded",
	} {
		require.Greater(t, seen["false batch: "+outcome], trials/200, outcome)
		require.Greater(t, seen["false single: "+outcome], trials/200, outcome)
	}
	require.Greater(t, seen["true single: ABISV Not Execute Selector"], trials/200)
	require.Greater(t, seen["false single: ERC20SV Invalid Selector"], trials/200)
	require.Greater(t, seen["false single: ERC20SV Wrong Token"], trials/200)
	require.Greater(t, seen["false batch: ERC20SV Invalid Token"], trials/200)
	require.Greater(t, seen["single: pass, batch: revert without a reason"], trials/500, "bytes above the recipient")
	require.Greater(t, seen["single: ERC20SV Wrong Recipient, batch: revert without a reason"], trials/500, "no amount")
}

func FuzzPreflightDifferential(f *testing.F) {
	vm, g := newContractVM(f), newGenerator(1)
	for range 64 {
		q := g.trial(vm)
		value := q.call.Value.Bytes32()
		f.Add(q.leaf.Module == vm.modules.ABI, q.leaf.Data, q.call.To[:], value[:], q.call.Data, q.callData)
	}
	f.Fuzz(func(t *testing.T, isABI bool, data, to, value, call, callData []byte) {
		module := vm.modules.ERC20
		if isABI {
			module = vm.modules.ABI
		}
		q := &trial{
			leaf:     policy.Compiled{Module: module, Data: data},
			call:     abi.Call{To: common.BytesToAddress(to), Data: call},
			callData: callData,
		}
		q.call.Value.SetBytes(value)
		vm.compare(t, q)
	})
}

// differentialSeed is another one at each run, or the one of SESAME_TEST_SEED.
func differentialSeed(t *testing.T) uint64 {
	seed := rand.Uint64()
	if text := os.Getenv("SESAME_TEST_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("SESAME_TEST_SEED=%d", seed)
	return seed
}

// generator makes calls that mostly fit their policy, and breaks most of them in one place or two.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) *generator {
	return &generator{rand.New(rand.NewPCG(seed, 0))}
}

func (g *generator) trial(vm *contractVM) *trial {
	var q *trial
	if g.oneIn(3) {
		q = g.erc20Trial(vm)
	} else {
		q = g.abiTrial(vm)
	}
	if g.oneIn(8) {
		q.leaf.Data = g.resized(q.leaf.Data)
	}
	if g.oneIn(8) {
		q.call.Data = g.resized(q.call.Data)
	}
	if g.oneIn(12) {
		q.call.To[g.IntN(20)] ^= 1
	}
	q.callData = executeData(g.executeName(), q.call.To, q.call.Value.Bytes32(), q.call.Data)
	if g.oneIn(3) {
		q.callData = g.brokenCallData(q.callData)
	}
	return q
}

func (g *generator) abiTrial(vm *contractVM) *trial {
	contract, selector := g.address(), []byte{1, 2, 3, byte(g.IntN(2))}
	data := append(selector[:4:4], g.words(g.IntN(5))...)
	rules := make([]policy.Rule, g.IntN(4))
	for i := range rules {
		rules[i] = g.rule(data[4:])
	}
	limit := g.word()
	clear(limit[:16])
	call := abi.Call{To: contract, Data: data}
	call.Value.SetBytes(limit[:])
	switch {
	case g.oneIn(8):
		call.Value.AddUint64(&call.Value, 1)
	case g.oneIn(12):
		call.Value.SetAllOne()
	case g.oneIn(2):
		call.Value.Clear()
	}
	if g.oneIn(12) {
		selector[g.IntN(4)]++
	}
	key := permissionData(vm.key, contract, selector, limit, rules)
	if g.oneIn(12) {
		binary.BigEndian.PutUint16(key[60:], uint16(g.IntN(6))) // a rule count that lies
	}
	return &trial{leaf: policy.Compiled{Module: vm.modules.ABI, Data: key}, call: call}
}

// rule is one that mostly holds for the arguments.
func (g *generator) rule(args []byte) policy.Rule {
	offset := g.IntN(len(args)/32+1) * 32
	if g.oneIn(12) {
		offset = g.IntN(1 << g.IntN(17))
	}
	if offset+32 > len(args) && !g.oneIn(6) {
		offset = 0
	}
	r := policy.Rule{Offset: uint64(offset), Condition: policy.Condition(g.IntN(6))}
	if offset+32 <= len(args) {
		r.Word = common.Hash(args[offset:])
	}
	word := new(uint256.Int).SetBytes(r.Word[:])
	switch r.Condition {
	case policy.LessThan:
		word.AddUint64(word, 1)
	case policy.GreaterThan, policy.NotEqual:
		word.SubUint64(word, 1)
	}
	switch {
	case g.oneIn(12):
		word.AddUint64(word, 1)
	case g.oneIn(12):
		word.SubUint64(word, 1)
	case g.oneIn(12):
		r.Condition = policy.Condition(g.IntN(256))
	}
	r.Word = word.Bytes32()
	return r
}

func (g *generator) erc20Trial(vm *contractVM) *trial {
	token, recipient, amount := g.address(), g.address(), g.word()
	key := abiword.AppendAddress(nil, vm.key)
	key = abiword.AppendAddress(key, token)
	key = abiword.AppendAddress(key, recipient)
	key = abiword.AppendWord(key, amount)
	data := abiword.AppendAddress([]byte{0xa9, 0x05, 0x9c, 0xbb}, recipient)
	data = abiword.AppendWord(data, amount)
	call := abi.Call{To: token, Data: data}
	switch g.IntN(14) {
	case 0:
		call.Value.SetUint64(g.Uint64())
	case 1:
		data[4+12+g.IntN(20)] ^= 1
	case 2:
		data[4+g.IntN(12)] ^= 1 // above the address
	case 3:
		data[4+32+g.IntN(32)]++
	case 4:
		key[32*g.IntN(3)+g.IntN(12)] ^= 1
	case 5:
		data[g.IntN(4)]++ // the selector, which nobody looks at
	case 6:
		call.Data = data[:30+g.IntN(39)] // around the end of the recipient, and of the amount
	case 7:
		data[4+12+g.IntN(20)] ^= 1
		call.Data = data[:30+g.IntN(39)]
	}
	return &trial{leaf: policy.Compiled{Module: vm.modules.ERC20, Data: key}, call: call}
}

func (g *generator) executeName() string {
	switch g.IntN(12) {
	case 0:
		return "executeBatch"
	case 1, 2, 3, 4, 5:
		return "execute"
	}
	return "execute_ncC"
}

// brokenCallData is callData that no encoder makes.
func (g *generator) brokenCallData(callData []byte) []byte {
	word := func(at int) []byte { return callData[at : at+32] }
	poke := func(dst []byte, v int) { binary.BigEndian.PutUint64(dst[24:], uint64(v)) }
	length := len(callData) - 132
	switch g.IntN(9) {
	case 0:
		return g.resized(callData)
	case 1:
		callData[4+g.IntN(12)] ^= 1 // above the address
	case 2:
		poke(word(68), g.IntN(len(callData)+40))
	case 3:
		copy(word(68), g.bytes(32))
	case 4:
		poke(word(68), -g.IntN(200))
		for i := range 24 {
			callData[68+i] = 0xff // an offset that wraps around
		}
	case 5:
		poke(word(100), g.IntN(length+40))
	case 6:
		copy(word(100), g.bytes(g.IntN(33)))
	case 7:
		gap := g.IntN(3) * 16 // the data elsewhere than right behind the head
		poke(word(68), 96+gap)
		callData = append(callData[:100:100], append(g.bytes(gap), callData[100:]...)...)
	case 8:
		callData = callData[:len(callData)-min(g.IntN(32), length)] // no padding, or less than that
	}
	return callData
}

// resized is b cut short, or with more behind it.
func (g *generator) resized(b []byte) []byte {
	if g.oneIn(3) {
		return append(b, g.bytes(g.IntN(70))...)
	}
	return b[:g.IntN(len(b)+1)]
}

func (g *generator) words(n int) []byte {
	var words []byte
	for range n {
		word := g.word()
		words = append(words, word[:]...)
	}
	return words
}

// word is small, large or anything.
func (g *generator) word() (word common.Hash) {
	switch g.IntN(4) {
	case 0:
		word[31] = byte(g.IntN(3))
	case 1:
		for i := range word {
			word[i] = 0xff
		}
	default:
		copy(word[g.IntN(32):], g.bytes(32))
	}
	return word
}

func (g *generator) address() common.Address { return common.Address(g.bytes(20)) }

func (g *generator) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	return b
}

func (g *generator) oneIn(n int) bool { return g.IntN(n) == 0 }
