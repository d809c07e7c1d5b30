package contracts

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/abiword"
)

// Read asks for an address's balance, whether it has code, and what it answers to a call.
type Read struct {
	To   common.Address
	Data []byte
	// MaxAnswer bounds the answer in bytes; what is beyond is cut off. Less than a word is one word.
	MaxAnswer int
	// Mutates lets the call change state, for the reads after it to see. Nothing outlives the request.
	Mutates bool
}

// ReadResult is what a [Read] found.
type ReadResult struct {
	// Balance is that of the address, in wei.
	Balance uint256.Int
	HasCode bool
	// OK is false where the call reverted; Data then is the revert data.
	OK bool
	// Data is what the call returned, at most MaxAnswer bytes of it.
	Data []byte
	// BlockTime is that of the block which all reads of a request see, in unix seconds.
	BlockTime uint64
}

// readerCode is the creation code of a contract that is never made: it makes the calls of the reads that are
// appended to it and returns their results. As an eth_call without a recipient it is one request to any node,
// sees one block, and needs neither a contract on chain nor JSON-RPC batches nor state overrides. (A
// constructor returns "code": at most 24,576 bytes of it, which do not begin with 0xef. A balance never
// does.)
//
// A read comes in as a header word, address(20) ‖ mutates(1 bit) ‖ 15 bits zero ‖ maxAnswer(4) ‖ len(6), and
// len bytes of calldata. Its result goes out as the balance, a word codeSize << 128 | ok << 64 | len, and len
// bytes of answer. The block's time comes last.
var readerCode = hexutil.MustDecode("0x" +
	//                                                                 the stack, top to the right
	"60a76000" + //                       @end 0                       in out
	"5b" + //                       loop: next read
	"388210601457" + //                   CODESIZE DUP3 LT @step JUMPI in out
	"428152602001" + //                   TIMESTAMP DUP2 MSTORE, 32 ADD memory[out:] = time
	"6000f3" + //                         0 RETURN                     memory[0:out]
	"5b" + //                       step:
	"60208282398051" + //                 32 DUP3 DUP3 CODECOPY MLOAD  in out header
	"9091602001" + //                     SWAP1 SWAP2 32 ADD           out header in
	"8165ffffffffffff16" + //             DUP2 2^48-1 AND              out header in len
	"80828560400139" + //                 CODECOPY                     memory[out+64:] = calldata
	"80910191" + //                       DUP1 SWAP2 ADD SWAP2         out in len header
	"8060601c" + //                       DUP1 96 SHR                  out in len header to
	"80318552" + //                       BALANCE MSTORE               memory[out:] = balance
	"803b60801b90" + //                   EXTCODESIZE 128 SHL SWAP1    out in len header word to
	"82605f1c600116605f57" + //           DUP3 95 SHR 1 AND @act JUMPI
	"60006000858860400184621e8480fa" + // STATICCALL, 2,000,000 gas    out in len header word to ok
	"606e56" + //                         @called JUMP
	"5b" + //                        act:
	"6000600085886040016000855af1" + //   CALL, all gas                out in len header word to ok
	"5b" + //                     called:
	"60401b905017" + //                   64 SHL SWAP1 POP OR          out in len header word
	"9060301c63ffffffff16" + //           SWAP1 48 SHR 2^32-1 AND      out in len word max
	"3d8181108291821802189050" + //       min(RETURNDATASIZE, max)     out in len word size
	"9081178460200152" + //               OR MSTORE                    memory[out+32:] = word|size
	"806000856040013e" + //               RETURNDATACOPY               memory[out+64:] = answer
	"929050909101604001" + //             out += 64 + size             in out
	"600456") //                          @loop JUMP

// What one request can hold: the size of creation code (EIP-3860), and that of deployed code (EIP-170).
const (
	maxRequestSize  = 49_152
	maxResponseSize = 24_576
)

const (
	readHead   = abiword.Size
	resultHead = 2 * abiword.Size
	resultTail = abiword.Size
	// mutatesBit is in the first byte after the address.
	mutatesBit = 0x80
)

// maxAnswer is the bound that counts.
func (r *Read) maxAnswer() int { return max(r.MaxAnswer, abiword.Size) }

// FitsOneRequest reports whether the reads fit into one request, and their longest answers into its response.
func FitsOneRequest(reads []Read) bool {
	request, n := PackReads(reads)
	return n == len(reads) && len(request) <= maxRequestSize
}

// PackReads returns the data of the eth_call, without a recipient, that makes as many of the reads as one
// request holds, in their order: the first n, at least one.
func PackReads(reads []Read) (request []byte, n int) {
	request = slices.Clone(readerCode)
	response := resultTail
	for i := range reads {
		r := &reads[i]
		response += resultHead + r.maxAnswer()
		if i > 0 && (response > maxResponseSize || len(request)+readHead+len(r.Data) > maxRequestSize) {
			return request, i
		}
		request = r.append(request)
	}
	return request, len(reads)
}

func (r *Read) append(request []byte) []byte {
	var sizes [readHead - common.AddressLength]byte
	binary.BigEndian.PutUint64(sizes[4:], uint64(len(r.Data)))
	binary.BigEndian.PutUint32(sizes[2:], uint32(r.maxAnswer()))
	if r.Mutates {
		sizes[0] |= mutatesBit
	}
	request = append(request, r.To[:]...)
	request = append(request, sizes[:]...)
	return append(request, r.Data...)
}

// ErrNotReads means that call data is not a request that [PackReads] makes.
var ErrNotReads = errors.New("not a batched read")

// ParseReads returns the reads of a request, the data of an eth_call without a recipient; each has the
// MaxAnswer that counts. What it takes is what [PackReads] makes of what it returns, and no more than a node
// runs. Data that does not begin as a request does is [ErrNotReads]. The reads share their data with the
// request.
func ParseReads(request []byte) ([]Read, error) {
	rest, ok := bytes.CutPrefix(request, readerCode)
	switch {
	case !ok:
		return nil, ErrNotReads
	case len(request) > maxRequestSize:
		return nil, fmt.Errorf("batched read of %d bytes: a node takes %d", len(request), maxRequestSize)
	}
	var reads []Read
	for len(rest) > 0 {
		r, size, err := parseRead(rest)
		if err != nil {
			return nil, fmt.Errorf("batched read: read %d: %w", len(reads)+1, err)
		}
		reads, rest = append(reads, r), rest[size:]
	}
	return reads, nil
}

// parseRead reads one read, and says how long it is.
func parseRead(data []byte) (r Read, size int, err error) {
	if len(data) < readHead {
		return Read{}, 0, fmt.Errorf("%d bytes where %d are its head", len(data), readHead)
	}
	head, rest := data[:readHead], data[readHead:]
	sizes := head[common.AddressLength:]
	maxAnswer := binary.BigEndian.Uint32(sizes[2:])
	length := binary.BigEndian.Uint64(sizes[4:]) & abiword.MaxUint48
	switch {
	case sizes[0]&^mutatesBit != 0 || sizes[1] != 0:
		return Read{}, 0, errors.New("flags that have no meaning")
	case maxAnswer < abiword.Size || maxAnswer > math.MaxInt32:
		return Read{}, 0, fmt.Errorf("an answer of at most %d bytes", maxAnswer)
	case length > uint64(len(rest)):
		return Read{}, 0, fmt.Errorf("%d bytes of data, %d are there", length, len(rest))
	}
	r = Read{To: common.Address(head), Data: rest[:length:length], MaxAnswer: int(maxAnswer), Mutates: sizes[0] != 0}
	return r, readHead + int(length), nil
}

// PackReadResults returns the response to a request: the results of the reads, in their order. Where there is
// code it says a size of 1, and the block's time is the last one's. What is beyond a read's MaxAnswer is cut
// off. A response that a node would not give, for its length, is an error.
func PackReadResults(reads []Read, results []ReadResult) ([]byte, error) {
	if len(reads) != len(results) {
		return nil, fmt.Errorf("batched read: %d results of %d reads", len(results), len(reads))
	}
	var (
		response []byte
		time     uint64
	)
	for i := range results {
		r := &results[i]
		time = r.BlockTime
		answer := r.Data[:min(len(r.Data), reads[i].maxAnswer())]
		var word [abiword.Size]byte
		word[15], word[23] = flag(r.HasCode), flag(r.OK)
		binary.BigEndian.PutUint64(word[24:], uint64(len(answer)))
		response = abiword.AppendUint256(response, &r.Balance)
		response = append(response, word[:]...)
		response = append(response, answer...)
	}
	response = abiword.AppendUint256(response, uint256.NewInt(time))
	if len(response) > maxResponseSize {
		return nil, fmt.Errorf("batched read: a response of %d bytes: a node gives %d", len(response), maxResponseSize)
	}
	return response, nil
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// UnpackReadResults returns the n results in the response to a request of n reads. They share their data with
// it.
func UnpackReadResults(response []byte, n int) ([]ReadResult, error) {
	var results []ReadResult
	for i := range n {
		if len(response) < resultHead {
			return nil, fmt.Errorf("answer %d of %d is cut short; does the node run eth_call without a recipient?", i+1, n)
		}
		var r ReadResult
		r.Balance.SetBytes32(response[:abiword.Size])
		word := response[abiword.Size:resultHead]
		r.HasCode = binary.BigEndian.Uint64(word[8:]) != 0
		r.OK = binary.BigEndian.Uint64(word[16:]) != 0
		size := binary.BigEndian.Uint64(word[24:])
		response = response[resultHead:]
		if size > uint64(len(response)) {
			return nil, fmt.Errorf("answer %d of %d claims %d bytes, %d are there", i+1, n, size, len(response))
		}
		r.Data, response = response[:size:size], response[size:]
		results = append(results, r)
	}
	if len(response) != resultTail {
		return nil, fmt.Errorf("%d bytes after the last answer, where the block's time has %d", len(response), resultTail)
	}
	for i := range results {
		results[i].BlockTime = binary.BigEndian.Uint64(response[resultTail-8:])
	}
	return results, nil
}
