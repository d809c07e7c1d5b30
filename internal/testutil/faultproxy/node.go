package faultproxy

import (
	"encoding/json"
	"slices"

	"github.com/ethereum/go-ethereum/common/hexutil"
)

// blockParam says which parameter of a read names the block.
var blockParam = map[string]int{
	"eth_call": 1, "eth_getBalance": 1, "eth_getCode": 1, "eth_getTransactionCount": 1, "eth_getStorageAt": 2,
	"eth_getBlockByNumber": 0, "eth_feeHistory": 1, "eth_estimateGas": 1,
}

// mostBehind is how many blocks a lagging node is behind.
const mostBehind = 3

func nodeFaults() []fault {
	return []fault{
		{kind: HeaderNotFound, weight: 10, roles: []Role{Node}, applies: readsBlock, do: changing(func(_ *exchange, c call, m member) bool {
			if _, ok := blockParam[c.Method]; !ok {
				return false
			}
			delete(m, "result")
			m["error"] = json.RawMessage(`{"code":-32000,"message":"header not found"}`)
			return true
		})},
		{kind: Lagging, weight: 20, roles: []Role{Node}, applies: func(x *exchange) bool {
			return readsBlock(x) || x.asks("eth_blockNumber", "eth_getLogs", "eth_getTransactionReceipt")
		}, do: (*exchange).lag},
	}
}

func readsBlock(x *exchange) bool {
	return slices.ContainsFunc(x.calls, func(c call) bool {
		_, ok := blockParam[c.Method]
		return ok
	})
}

// lag answers as of an older block.
func (x *exchange) lag() bool {
	var head hexutil.Uint64
	if x.ask(&head, "eth_blockNumber") != nil {
		return false
	}
	old := head - min(head, hexutil.Uint64(1+x.rand.IntN(mostBehind)))
	body := x.body
	defer func() { x.body = body }()
	for i := range x.calls {
		at, ok := blockParam[x.calls[i].Method]
		if params := x.calls[i].Params; ok && at < len(params) && isHead(params[at]) {
			params[at] = encode(old)
		}
	}
	x.body = encode(x.questions())
	a, err := x.forward()
	if err != nil {
		x.reset()
		return true
	}
	x.edit(a, func(c call, m member) bool { return forget(c, m, old) })
	x.done()
	x.write(a)
	return true
}

func isHead(param json.RawMessage) bool {
	return slices.Contains([]string{`"latest"`, `"pending"`}, string(param))
}

// questions are the calls as JSON-RPC.
func (x *exchange) questions() any {
	var all []map[string]any
	for _, c := range x.calls {
		params := c.Params
		if params == nil {
			params = []json.RawMessage{}
		}
		all = append(all, map[string]any{"jsonrpc": "2.0", "id": c.ID, "method": c.Method, "params": params})
	}
	if x.batch {
		return all
	}
	return all[0]
}

// forget leaves out of an answer what is newer than a block.
func forget(c call, m member, old hexutil.Uint64) bool {
	newer := func(raw json.RawMessage) bool {
		var at struct {
			BlockNumber *hexutil.Uint64
			Number      *hexutil.Uint64
		}
		if json.Unmarshal(raw, &at) != nil {
			return false
		}
		return at.BlockNumber != nil && *at.BlockNumber > old || at.Number != nil && *at.Number > old
	}
	switch c.Method {
	case "eth_blockNumber":
		m["result"] = encode(old)
		return true
	case "eth_getTransactionReceipt", "eth_getBlockByNumber":
		if newer(m["result"]) {
			m["result"] = json.RawMessage("null")
			return true
		}
	case "eth_getLogs":
		var logs []json.RawMessage
		if json.Unmarshal(m["result"], &logs) == nil {
			m["result"] = encode(slices.DeleteFunc(logs, newer))
			return true
		}
	}
	return false
}
