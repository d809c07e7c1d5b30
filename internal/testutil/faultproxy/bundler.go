package faultproxy

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/userop"
)

const (
	sendMethod    = "eth_sendUserOperation"
	receiptMethod = "eth_getUserOperationReceipt"
)

func bundlerFaults() []fault {
	var faults []fault
	add := func(kind Kind, weight int, method string, do func(*exchange) bool) {
		single := func(x *exchange) bool { return !x.batch && x.asks(method) }
		faults = append(faults, fault{kind, weight, []Role{Bundler}, single, do})
	}
	add(WrongHash, 5, sendMethod, changing(func(_ *exchange, _ call, m member) bool {
		var hash common.Hash
		if json.Unmarshal(m["result"], &hash) != nil {
			return false
		}
		hash[31] ^= 1
		m["result"] = encode(hash)
		return true
	}))
	add(RefusalThenAccept, 10, sendMethod, changing(told(refusals)))
	add(AcceptButDrop, 5, sendMethod, (*exchange).drop)
	add(Refused, 5, sendMethod, instead(func(x *exchange) *answer { return x.refuse(refusals) }))
	add(Underpriced, 5, sendMethod, instead(func(x *exchange) *answer { return x.refuse(underpriced) }))
	add(AlreadyKnown, 8, sendMethod, changing(told(alreadyKnown)))
	add(AlreadyKnownLie, 4, sendMethod, instead(func(x *exchange) *answer { return x.refuse(alreadyKnown) }))
	add(RevertedLie, 10, receiptMethod, changing(func(_ *exchange, _ call, m member) bool {
		return inResult(m, func(receipt member) bool {
			success := string(receipt["success"])
			receipt["success"] = encode(success != "true" && success != `"true"`)
			return true
		})
	}))
	add(ReceiptOfAnother, 10, receiptMethod, changing((*exchange).another))
	add(ForgedReceipt, 8, receiptMethod, changing((*exchange).forge))
	return faults
}

// refusals are what bundlers say of an operation that they do not take.
var refusals = []words{
	{-32500, "AA25 invalid account nonce", nil},
	{-32500, "UserOperation reverted during simulation with reason: AA24 signature error", nil},
	{-32507, "Invalid UserOp signature or paymaster signature", nil},
	{-32500, "account does not exist or cannot pay: AA21 didn't pay prefund", nil},
	{-32501, "AA33 reverted (or OOG)", nil},
	{-32502, "account uses banned opcode: TIMESTAMP", nil},
	{-32503, "User Operation expires too soon", nil},
	{-32504, "account is throttled or banned", nil},
	{-32505, "entity stake or unstake delay too low", nil},
	{-32521, "UserOperation reverted during simulation with reason: 0x", nil},
	{-32602, "Invalid params: expected hex string", nil},
	{-32000, "precheck failed: preVerificationGas is 43210 but must be at least 98765", nil},
	{-32000, "precheck failed: maxPriorityFeePerGas is 1000000 but must be at least 1250000000", nil},
	{-32006, "maxPriorityFeePerGas is too low", nil},
	{-32007, "maxFeePerGas is too low", nil},
	{-32008, "preVerificationGas is too low", nil},
	{-32601, "AA23 reverted (or OOG)", "AA23 reverted (or OOG)"},
	{-32603, "Failed to submit the user operation", nil},
}

var underpriced = []words{
	{-32602, "replacement underpriced", nil},
	{-32602, "replacement op must increase maxFeePerGas and maxPriorityFeePerGas >= 10%", nil},
	{-32000, "replacement transaction underpriced", nil},
	{-32602, "user operation maxFeePerGas too low to replace the one in the mempool with the same nonce", nil},
}

var alreadyKnown = []words{
	{-32000, "already known", nil},
	{-32602, "already known", nil},
	{-32500, "Already in mempool", nil},
	{-32603, "duplicate user operation", nil},
	{-32602, "UserOperation already exists", nil},
}

// told answers in other words that the operation was accepted; a refusal comes as it is.
func told(choices []words) func(*exchange, call, member) bool {
	return func(x *exchange, _ call, m member) bool {
		if m["result"] == nil || string(m["result"]) == "null" {
			return false
		}
		said := choices[x.rand.IntN(len(choices))]
		delete(m, "result")
		m["error"] = encode(map[string]any{"code": said.code, "message": said.message})
		return true
	}
}

func (x *exchange) refuse(choices []words) *answer {
	said := choices[x.rand.IntN(len(choices))]
	return x.say(http.StatusOK, said.code, said.message, said.data)
}

// drop tells the operation's hash, and that is all. What is no operation gets the service's own answer.
func (x *exchange) drop() bool {
	hash, err := x.operationHash()
	if err != nil {
		return false
	}
	x.done()
	x.write(x.answerAll(http.StatusOK, func(call) map[string]any { return map[string]any{"result": hash} }))
	return true
}

// operationHash is the hash of the operation that is sent.
func (x *exchange) operationHash() (common.Hash, error) {
	var (
		op         userop.Operation
		entryPoint common.Address
		id         hexutil.Uint64
	)
	params := x.calls[0].Params
	if len(params) < 2 {
		return common.Hash{}, fmt.Errorf("%d parameters", len(params))
	}
	if err := json.Unmarshal(params[0], &op); err != nil {
		return common.Hash{}, err
	}
	if err := json.Unmarshal(params[1], &entryPoint); err != nil {
		return common.Hash{}, err
	}
	x.mu.Lock()
	known := x.chainID
	x.mu.Unlock()
	if known == 0 {
		if err := x.ask(&id, "eth_chainId"); err != nil {
			return common.Hash{}, err
		}
		known = uint64(id)
		x.mu.Lock()
		x.chainID = known
		x.mu.Unlock()
	}
	return op.Hash(entryPoint, known), nil
}

// inResult changes the object that is the result.
func inResult(m member, change func(member) bool) bool {
	var result member
	if json.Unmarshal(m["result"], &result) != nil || result == nil || !change(result) {
		return false
	}
	m["result"] = encode(result)
	return true
}

// remember keeps receipts that passed, to give them for others.
func (x *exchange) remember(a *answer) {
	if x.cfg.Role != Bundler || x.batch || !x.asks(receiptMethod) {
		return
	}
	var m struct{ Result json.RawMessage }
	if json.Unmarshal(a.body, &m) != nil || len(m.Result) == 0 || string(m.Result) == "null" {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.others) == maxOthers {
		x.others = x.others[1:]
	}
	x.others = append(x.others, m.Result)
}

// another gives the receipt of another operation: one that passed, or where there is none this one's under
// another name.
func (x *exchange) another(c call, m member) bool {
	asked := hashOf(c)
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range x.others {
		other := x.others[(i+int(x.arrival))%len(x.others)]
		var named struct{ UserOpHash json.RawMessage }
		if json.Unmarshal(other, &named) == nil && string(named.UserOpHash) != asked {
			m["result"] = other
			return true
		}
	}
	return inResult(m, func(receipt member) bool {
		receipt["userOpHash"] = encode(x.anyHash())
		return true
	})
}

// anyHash is the hash of nothing.
func (x *exchange) anyHash() (hash common.Hash) {
	for i := range hash {
		hash[i] = byte(x.rand.Uint32())
	}
	return hash
}

// forge makes a receipt up where there is none.
func (x *exchange) forge(c call, m member) bool {
	if string(m["result"]) != "null" || len(c.Params) == 0 {
		return false
	}
	tx, block := x.anyHash(), x.anyHash()
	m["result"] = encode(map[string]any{
		"userOpHash": c.Params[0], "success": true, "actualGasCost": "0x1", "actualGasUsed": "0x1", "logs": []any{},
		"receipt": map[string]any{"transactionHash": tx, "blockHash": block, "blockNumber": "0x1", "status": "0x1", "logs": []any{}},
	})
	return true
}
