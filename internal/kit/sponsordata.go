package kit

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
)

// SponsorData is what is in the paymasterAndData of the verifying paymaster. Times are in seconds since 1970.
type SponsorData struct {
	Paymaster              common.Address
	PaymasterID            common.Address // whose balance pays
	ValidUntil, ValidAfter uint64
	Signature              []byte
}

// StubSponsorData has the right shape for estimating, and the contract does not accept it.
func StubSponsorData(paymasterID common.Address) *SponsorData {
	const latest = 1<<48 - 1
	return &SponsorData{Paymaster: VerifyingPaymaster(), PaymasterID: paymasterID, ValidUntil: latest, Signature: StubSignature()}
}

// DefaultPaymasterID is whose balance at the verifying paymaster pays where nothing else is said.
func DefaultPaymasterID() common.Address { return Address("paymaster ID") }

// StubSignature is a signature of nobody's.
func StubSignature() []byte {
	return common.FromHex("0x73c3ac716c487ca34bb858247b5ccf1dc354fbaabdd089af3b2ac8e78ba85a4959a2d76250325bd67c11771c31fccda87c33ceec17cc0de912690521bb95ffcb1b")
}

// Pack returns paymaster ‖ abi.encode(address paymasterId, uint48 validUntil, uint48 validAfter, bytes sig).
func (d *SponsorData) Pack() []byte {
	data := append([]byte{}, d.Paymaster[:]...)
	data = abiword.AppendAddress(data, d.PaymasterID)
	data = abiword.AppendUint64(data, d.ValidUntil)
	data = abiword.AppendUint64(data, d.ValidAfter)
	data = abiword.AppendUint64(data, 4*abi.WordSize)
	return abiword.AppendBytes(data, d.Signature)
}
