package account

import (
	"encoding/binary"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
)

// l1Price is what a chain charges for an operation's bytes on L1, in wei, as its own contract says; zero on a
// chain that charges nothing.
type l1Price struct {
	// fee is for size bytes: what chains of the OP stack tell.
	fee  uint256.Int
	size int
	// perTransaction and perByte are what Arbitrum's chains tell, with their price of gas.
	perTransaction, perByte, perGas uint256.Int
	// untold says that the chain has such a contract, which told no price.
	untold bool
	// at is when it was asked.
	at time.Time
}

const (
	// l1Overhead is about what an operation has besides its calls, in bytes: its other fields, the signature
	// and the transaction around it.
	l1Overhead = 1024
	// maxL1Size is how many bytes the fee is asked for at most: compressing them takes the chain's contract
	// gas, of which a read has so much.
	maxL1Size = 4096
)

// l1Reads are the reads whose results come first, for [costBound.useL1].
func (b *costBound) l1Reads() []contracts.Read {
	size := min(len(b.draft.CallData)+l1Overhead, maxL1Size)
	b.l1.size, b.l1.at = size, time.Now()
	return []contracts.Read{
		{To: contracts.GasPriceOracleAddress, Data: contracts.GetL1Fee(incompressible(size))},
		{To: contracts.ArbGasInfoAddress, Data: contracts.GetPricesInWei(), MaxAnswer: contracts.ArbitrumPricesSize},
	}
}

// useL1 takes over what the chain's contract answered. Where that is something else than a price, nothing is
// added to the bound.
func (b *costBound) useL1(results []contracts.ReadResult) {
	op, arbitrum := &results[0], &results[1]
	if !op.HasCode && !arbitrum.HasCode {
		b.client.noL1Fees.Store(true) // a chain does not become one that charges for L1
		return
	}
	b.l1.untold = true
	if op.HasCode && op.OK {
		if fee, err := contracts.DecodeUint256(op.Data); err == nil {
			b.l1.fee, b.l1.untold = fee, false
		}
	}
	if arbitrum.HasCode && arbitrum.OK {
		if prices, err := contracts.DecodeArbitrumPrices(arbitrum.Data); err == nil {
			const unitsPerByte = 16
			b.l1.perTransaction, b.l1.perGas = prices.PerTransaction, prices.PerGas
			b.l1.untold = false
			b.l1.perByte = *scaled(&prices.PerCalldataUnit, unitsPerByte, 1)
		}
	}
	price := b.l1
	b.client.l1.Store(&price)
}

// gas is what the chain charges for size bytes, in gas at that price in wei.
func (p *l1Price) gas(size int, price *uint256.Int) *uint256.Int {
	wei := new(uint256.Int).Set(&p.fee)
	if size > p.size && p.size > 0 {
		wei = scaled(wei, uint64(size), uint64(p.size))
	}
	bytes := scaled(&p.perByte, uint64(size), 1)
	for _, part := range []*uint256.Int{&p.perTransaction, bytes} {
		if _, overflow := wei.AddOverflow(wei, part); overflow {
			return wei.SetAllOne()
		}
	}
	if !p.perGas.IsZero() && p.perGas.Lt(price) {
		price = &p.perGas // Arbitrum takes no tips: it is by the base fee that bundlers divide
	}
	return dividedUp(wei, price)
}

// incompressible returns bytes that no compression makes shorter.
func incompressible(size int) []byte {
	data := make([]byte, 0, size+32)
	var block [8]byte
	for n := uint64(0); len(data) < size; n++ {
		binary.BigEndian.PutUint64(block[:], n)
		data = append(data, crypto.Keccak256(block[:])...)
	}
	return data[:size]
}
