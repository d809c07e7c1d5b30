package account

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
)

// probe is one look at an address: its balance, whether it has code, and what it answers to a call.
type probe struct {
	to   common.Address
	data []byte
	// most bounds the answer in bytes; what is beyond is cut off. Zero is one word.
	most int
	// acts lets the call change state, for the probes after it to see. Nothing outlives the request.
	acts bool
}

// sight is what a [probe] saw.
type sight struct {
	balance uint256.Int
	hasCode bool
	// ok is false where the call reverted; answer then is the revert data.
	ok     bool
	answer []byte
}

// prober is the creation code of a contract that is never made: it runs the probes that are appended to
// it and returns what they saw. As an eth_call without a recipient it is one request to any node, sees one
// block, and needs neither a contract on chain nor JSON-RPC batches nor state overrides. (A constructor
// returns "code": at most 24,576 bytes of it, which do not begin with 0xef. A balance never does.)
//
// A probe comes in as a header word, address(20) ‖ acts(1 bit) ‖ 15 bits zero ‖ most(4) ‖ len(6), and len bytes of
// calldata. It goes out as the balance, a word hasCode << 128 | ok << 64 | len, and len bytes of answer.
var prober = hexutil.MustDecode("0x" +
	//                                                                 the stack, top to the right
	"60a16000" + //                       @end 0                       in out
	"5b" + //                       loop: next probe
	"388210600e57" + //                   CODESIZE DUP3 LT @step JUMPI in out
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
	"82605f1c600116605957" + //           DUP3 95 SHR 1 AND @act JUMPI
	"60006000858860400184621e8480fa" + // STATICCALL, 2,000,000 gas    out in len header word to ok
	"606856" + //                         @called JUMP
	"5b" + //                        act:
	"6000600085886040016000855af1" + //   CALL, all gas                out in len header word to ok
	"5b" + //                     called:
	"60401b905017" + //                   64 SHL SWAP1 POP OR          out in len header word
	"9060301c63ffffffff16" + //           SWAP1 48 SHR 2^32-1 AND      out in len word most
	"3d8181108291821802189050" + //       min(RETURNDATASIZE, most)    out in len word size
	"9081178460200152" + //               OR MSTORE                    memory[out+32:] = word|size
	"806000856040013e" + //               RETURNDATACOPY               memory[out+64:] = answer
	"929050909101604001" + //             out += 64 + size             in out
	"600456") //                          @loop JUMP

// decode reads the answer of the function. An error matches [ErrBadAnswer], and is the revert where the
// call reverted.
func (s *sight) decode(function string, read func([]byte) error) error {
	if !s.ok {
		revert := abi.DecodeRevert(s.answer)
		return fmt.Errorf("%w: %s reverted: %w", ErrBadAnswer, function, &revert)
	}
	if err := read(s.answer); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBadAnswer, function, err)
	}
	return nil
}

// into returns a reader that keeps what it decoded in dst.
func into[T any](dst *T, decode func([]byte) (T, error)) func([]byte) error {
	return func(answer []byte) (err error) {
		*dst, err = decode(answer)
		return err
	}
}

// What one request can hold: the size of creation code (EIP-3860), and that of deployed code (EIP-170).
const (
	maxProbesSize = 49_152
	maxSightsSize = 24_576
	sightHead     = 2 * abi.WordSize
)

// look makes the probes, in their order and in one request; in several only where their data is too much
// for one. The error is the node's or the network's: a call that reverts is part of the result.
func look(ctx context.Context, chain Chain, probes ...probe) ([]sight, error) {
	sights := make([]sight, 0, len(probes))
	for len(probes) > 0 {
		code, n := packProbes(probes)
		data, err := chain.CallContract(ctx, ethereum.CallMsg{Data: code}, nil)
		if err != nil {
			return nil, withoutURL(err)
		}
		if sights, err = unpackSights(sights, data, n); err != nil {
			return nil, fmt.Errorf("%w: batched read: %w", ErrBadAnswer, err)
		}
		probes = probes[n:]
	}
	return sights, nil
}

// packProbes returns the creation code for as many probes as one request holds, at least one.
func packProbes(probes []probe) (code []byte, n int) {
	code = slices.Clone(prober)
	answers := 0
	for i := range probes {
		p := &probes[i]
		most := max(p.most, abi.WordSize)
		answers += sightHead + most
		if i > 0 && (answers > maxSightsSize || len(code)+abi.WordSize+len(p.data) > maxProbesSize) {
			return code, i
		}
		var sizes [12]byte
		binary.BigEndian.PutUint64(sizes[4:], uint64(len(p.data)))
		binary.BigEndian.PutUint32(sizes[2:], uint32(most))
		if p.acts {
			sizes[0] |= 0x80
		}
		code = append(code, p.to[:]...)
		code = append(code, sizes[:]...)
		code = append(code, p.data...)
	}
	return code, len(probes)
}

// unpackSights appends the n sights in data.
func unpackSights(sights []sight, data []byte, n int) ([]sight, error) {
	for i := range n {
		if len(data) < sightHead {
			return nil, fmt.Errorf("answer %d of %d is cut short; does the node run eth_call without a recipient?", i+1, n)
		}
		var s sight
		s.balance.SetBytes32(data[:abi.WordSize])
		word := data[abi.WordSize:sightHead]
		s.hasCode = binary.BigEndian.Uint64(word[8:]) != 0
		s.ok = binary.BigEndian.Uint64(word[16:]) != 0
		size := binary.BigEndian.Uint64(word[24:])
		data = data[sightHead:]
		if size > uint64(len(data)) {
			return nil, fmt.Errorf("answer %d of %d claims %d bytes, %d are there", i+1, n, size, len(data))
		}
		s.answer, data = data[:size:size], data[size:]
		sights = append(sights, s)
	}
	if len(data) > 0 {
		return nil, fmt.Errorf("%d bytes after the last answer", len(data))
	}
	return sights, nil
}
