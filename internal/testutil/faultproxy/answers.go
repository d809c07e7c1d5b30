package faultproxy

import (
	"encoding/json"
	"math/big"
	"net/http"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common/hexutil"
)

// byHash are the methods that are asked for something by its hash, and answer null where it is unknown.
var byHash = []string{
	"eth_getUserOperationReceipt", "eth_getUserOperationByHash",
	"eth_getTransactionReceipt", "eth_getTransactionByHash", "eth_getBlockByHash",
}

// nullFor is how often in all a hash is null.
const nullFor = 3

func answerFaults() []fault {
	return []fault{
		{kind: WrongID, weight: 8, applies: anyCall, do: changing(func(x *exchange, c call, m member) bool {
			// Far off the others of a batch: their answers are not exchanged.
			m["id"] = encode(1<<40 + x.rand.Int64N(1<<40))
			return true
		})},
		{kind: NullID, weight: 8, applies: anyCall, do: changing(func(_ *exchange, _ call, m member) bool {
			m["id"] = json.RawMessage("null")
			return true
		})},
		{kind: FixedID, weight: 8, applies: anyCall, do: changing(func(_ *exchange, _ call, m member) bool {
			m["id"] = json.RawMessage("1")
			return true
		})},
		{kind: WrongChain, weight: 10, roles: []Role{Bundler, Node}, applies: asking("eth_chainId"), do: changing(wrongChain)},
		{kind: NullForAWhile, weight: 30, roles: []Role{Bundler, Node}, applies: asking(byHash...), do: changing((*exchange).null)},
		{kind: VendorCodes, weight: 12, applies: anyCall, do: instead((*exchange).vendorCode)},
	}
}

func wrongChain(_ *exchange, c call, m member) bool {
	var id hexutil.Big
	if c.Method != "eth_chainId" || json.Unmarshal(m["result"], &id) != nil {
		return false
	}
	other := new(big.Int).Add(id.ToInt(), big.NewInt(1))
	m["result"] = encode((*hexutil.Big)(other))
	return true
}

// hashOf is the hash that a call asks for, and "" where it asks for something else.
func hashOf(c call) string {
	for _, method := range byHash {
		if c.Method == method && len(c.Params) > 0 {
			return string(c.Params[0])
		}
	}
	return ""
}

// null forgets what a call asked for, which was known, for a while.
func (x *exchange) null(c call, m member) bool {
	hash := hashOf(c)
	if hash == "" || m["result"] == nil || string(m["result"]) == "null" {
		return false
	}
	x.mu.Lock()
	left, known := x.nulls[hash]
	switch {
	case !known && len(x.nulls) < maxNulls:
		x.nulls[hash] = nullFor - 1
	case left > 1:
		x.nulls[hash]--
	default:
		delete(x.nulls, hash)
	}
	x.mu.Unlock()
	m["result"] = json.RawMessage("null")
	return true
}

// stillNull goes on with a fault that was begun.
func (p *Proxy) stillNull(x *exchange) (fault, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range x.calls {
		if p.nulls[hashOf(c)] > 0 {
			x.kind = NullForAWhile
			return fault{do: changing(func(x *exchange, c call, m member) bool {
				p.mu.Lock()
				still := p.nulls[hashOf(c)] > 0
				p.mu.Unlock()
				return still && x.null(c, m)
			})}, true
		}
	}
	return fault{}, false
}

// words is an error that is answered.
type words struct {
	code    int
	message string
	data    any
}

// vendorWords are what services say in passing, each in its own way.
var vendorWords = map[Role][]words{
	Bundler: {
		{-32005, "Unable to process the user operation at the moment", nil},
		{-32601, "The method $METHOD does not exist / is not available", nil},
		{-32601, "Method not found", nil},
		{-32000, "request timed out", nil},
		{-32603, "Internal JSON-RPC error.", nil},
		{-32005, "daily request count exceeded, request rate limited", nil},
	},
	Paymaster: {
		{-32601, "Method not found", nil},
		{-32603, "Internal JSON-RPC error.", nil},
		{-32005, "rate limit exceeded", nil},
		{-32000, "upstream request timed out, try again", nil},
	},
	Node: {
		{-32005, "limit exceeded", nil},
		{-32000, "request timed out", nil},
		{-32000, "missing trie node 5d0b3e1ca2bdb8bfb0a1c8bd2cde0ddd1bfd2a7d4bd8dff8a9c4e3c50b1d31b5 (path )", nil},
		{429, "Your app has exceeded its compute units per second capacity", nil},
		{-32603, "the service is temporarily unavailable", nil},
	},
}

// unknownWords are what bundlers say of a hash that they do not know.
var unknownWords = []words{
	{-32004, "UserOpHash: $HASH not found for chainId", nil},
	{-32601, "not found", "not found"},
	{-32601, "User operation receipt is not found", nil},
	{-32601, "Missing/invalid userOpHash", nil},
}

// vendorCode refuses in words that say nothing about what was asked.
func (x *exchange) vendorCode() *answer {
	choices := vendorWords[x.cfg.Role]
	if x.cfg.Role == Bundler && x.asks(byHash...) {
		choices = unknownWords
	}
	said := choices[x.rand.IntN(len(choices))]
	c := x.calls[0]
	hash, err := strconv.Unquote(hashOf(c))
	if err != nil {
		hash = "0x"
	}
	said.message = strings.NewReplacer("$METHOD", c.Method, "$HASH", hash).Replace(said.message)
	return x.say(http.StatusOK, said.code, said.message, said.data)
}
