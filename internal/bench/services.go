package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/localhttp"
	"github.com/go-sesame/sesame/paymaster/paymastertest"
	"github.com/go-sesame/sesame/userop"
)

// servicesQuestion is what a child with services is asked: to start, or when an operation was included.
type servicesQuestion struct {
	Do string `json:"do"`
	// Root is the session root of every account.
	Root common.Hash `json:"root"`
	// BlockTime is that of the chain; where it is zero there is one block.
	BlockTime time.Duration `json:"blockTime"`
	Hash      common.Hash   `json:"hash"`
}

// servicesAnswer is where the services are, or how many requests they got, or when in unix nanoseconds an
// operation was included.
type servicesAnswer struct {
	URL      string `json:"url"`
	Requests int64  `json:"requests"`
	Included int64  `json:"included"`
}

// serveServices is the child that has services: node, bundler and paymaster at one URL, which answer at once
// and take everything for good.
func serveServices() error {
	var s *services
	return serve(os.Stdin, os.Stdout, func(line []byte) (any, error) {
		var q servicesQuestion
		if err := json.Unmarshal(line, &q); err != nil {
			return nil, err
		}
		switch {
		case q.Do == "start" && s == nil:
			s = newServices(q)
			server, err := localhttp.Serve(s, 0)
			if err != nil {
				return nil, err
			}
			return servicesAnswer{URL: server.URL}, nil
		case q.Do == "requests" && s != nil:
			return servicesAnswer{Requests: s.requests.Load()}, nil
		case q.Do == "included" && s != nil:
			at, err := s.chain.includedAt(q.Hash)
			return servicesAnswer{Included: at.UnixNano()}, err
		}
		return nil, fmt.Errorf("%q: not now", q.Do)
	})
}

// services answer JSON-RPC requests. Answers that are always the same are made once.
type services struct {
	root     common.Hash
	chain    blocks
	requests atomic.Int64
	fixed    map[string]json.RawMessage
	// known are the answers to the first operations, by the bytes of the request's parameters: to one that is
	// sent again and again.
	known     sync.Map
	knownSize atomic.Int64
}

const mostKnown = 64

func newServices(q servicesQuestion) *services {
	price := map[string]string{"maxFeePerGas": "0x77359400", "maxPriorityFeePerGas": "0x3b9aca00"}
	limits := map[string]any{
		"callGasLimit": "0x186a0", "verificationGasLimit": "0x30d40", "preVerificationGas": "0xc350",
		"maxFeePerGas": price["maxFeePerGas"], "maxPriorityFeePerGas": price["maxPriorityFeePerGas"],
	}
	sponsorship := map[string]any{
		"mode": "SPONSORED", "paymasterAndData": paymastertest.PaymasterAndData(),
		"callGasLimit": 100_000, "verificationGasLimit": 200_000, "preVerificationGas": "50000",
	}
	header := map[string]any{
		"baseFeePerGas": "0x3b9aca00", "number": "0x1", "gasLimit": "0x1c9c380", "gasUsed": "0x0", "timestamp": "0x1", "difficulty": "0x0",
		"extraData": "0x", "logsBloom": hexutil.Bytes(make([]byte, 256)), "miner": common.Address{}, "parentHash": common.Hash{}, "hash": common.Hash{1},
		"receiptsRoot": common.Hash{}, "sha3Uncles": common.Hash{}, "stateRoot": common.Hash{}, "transactionsRoot": common.Hash{},
		"mixHash": common.Hash{}, "nonce": "0x0000000000000000", "transactions": []string{}, "uncles": []string{}, "size": "0x1",
	}
	s := &services{root: q.Root, fixed: make(map[string]json.RawMessage)}
	s.chain.start(q.BlockTime)
	for method, result := range map[string]any{
		"eth_chainId":                  hexutil.Uint64(chainID),
		"eth_supportedEntryPoints":     []common.Address{entryPoint},
		"eth_getCode":                  "0x60",
		"eth_gasPrice":                 "0x77359400",
		"eth_maxPriorityFeePerGas":     "0x5",
		"eth_getBlockByNumber":         header,
		"eth_estimateUserOperationGas": limits,
		"biconomy_getGasFeeValues":     price,
		"pm_sponsorUserOperation":      sponsorship,
		"pm_getPaymasterStubData":      map[string]any{"paymasterAndData": paymastertest.PaymasterAndData(), "isFinal": false},
		"pm_getPaymasterData":          map[string]any{"paymasterAndData": paymastertest.PaymasterAndData()},
	} {
		s.fixed[method], _ = json.Marshal(result) // of what can be marshalled
	}
	return s
}

// between is what stands between two words, without a look at the rest: what an operation is made of has
// neither an id nor a method.
func between(text []byte, before, after string) []byte {
	_, rest, found := bytes.Cut(text, []byte(before))
	end := bytes.IndexAny(rest, after)
	if !found || end < 0 {
		return nil
	}
	return bytes.TrimSpace(rest[:end])
}

func (s *services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.requests.Add(1)
	method, id := string(between(body, `"method":"`, `"`)), between(body, `"id":`, ",}")
	if bytes.HasPrefix(body, []byte("[")) || method == "" || id == nil {
		http.Error(w, "single JSON-RPC requests only", http.StatusBadRequest)
		return
	}
	result, known := s.fixed[method]
	if !known {
		result, err = s.answer(method, body)
	}
	answer := make([]byte, 0, len(result)+64)
	answer = append(append(answer, `{"jsonrpc":"2.0","id":`...), id...)
	if err != nil {
		answer = fmt.Appendf(answer, `,"error":{"code":-32601,"message":%q}}`, err.Error())
	} else {
		answer = append(append(append(answer, `,"result":`...), result...), '}')
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer)
}

// answer is one that depends on the request.
func (s *services) answer(method string, body []byte) (json.RawMessage, error) {
	_, params, _ := bytes.Cut(body, []byte(`"params":`))
	if answer, ok := s.known.Load(string(params)); ok && method == "eth_sendUserOperation" {
		return answer.(json.RawMessage), nil
	}
	var request struct{ Params []json.RawMessage }
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, err
	}
	var result any
	var err error
	switch {
	case method == "eth_blockNumber":
		result = hexutil.Uint64(s.chain.head())
	case len(request.Params) == 0:
		err = errors.New("the method does not exist: " + method)
	case method == "eth_sendUserOperation":
		result, err = s.accept(request.Params[0])
	case method == "eth_call":
		result, err = s.read(request.Params[0])
	case method == "eth_getLogs":
		result, err = s.chain.logs(request.Params[0])
	case method == "eth_getUserOperationReceipt":
		result, err = s.chain.receipt(request.Params[0])
	default:
		err = errors.New("the method does not exist: " + method)
	}
	if err != nil {
		return nil, err
	}
	answer, err := json.Marshal(result)
	if method == "eth_sendUserOperation" && s.knownSize.Add(1) <= mostKnown {
		s.known.Store(string(params), json.RawMessage(answer))
	}
	return answer, err
}

func (s *services) accept(param json.RawMessage) (common.Hash, error) {
	op := new(userop.Operation)
	if err := json.Unmarshal(param, op); err != nil {
		return common.Hash{}, err
	}
	hash := op.Hash(entryPoint, chainID)
	s.chain.add(hash, op)
	return hash, nil
}

// read is eth_call to a chain on which every account is deployed, with one session root.
func (s *services) read(param json.RawMessage) (any, error) {
	var call struct{ Input, Data hexutil.Bytes }
	if err := json.Unmarshal(param, &call); err != nil {
		return nil, err
	}
	data := append(call.Input, call.Data...)
	reads, err := contracts.ParseReads(data)
	if err != nil {
		return s.readOne(data)
	}
	results := make([]contracts.ReadResult, len(reads))
	for i := range reads {
		if answer, err := s.readOne(reads[i].Data); err == nil {
			results[i] = contracts.ReadResult{HasCode: true, OK: true, Data: answer[:]}
		}
	}
	response, err := contracts.PackReadResults(reads, results)
	return hexutil.Bytes(response), err
}

func (s *services) readOne(data []byte) (common.Hash, error) {
	if len(data) < 4 {
		return common.Hash{}, errors.New("execution reverted")
	}
	switch [4]byte(data) {
	case [4]byte(contracts.GetSessionKeys(common.Address{})):
		return s.root, nil
	case [4]byte(contracts.IsModuleEnabled(common.Address{})):
		return common.BigToHash(big.NewInt(1)), nil
	case [4]byte(contracts.GetNonce(common.Address{}, uint256.Int{})):
		if len(data) != 4+2*abi.WordSize {
			break
		}
		return s.chain.nonce(data[4:]), nil
	}
	return common.Hash{}, errors.New("execution reverted")
}
