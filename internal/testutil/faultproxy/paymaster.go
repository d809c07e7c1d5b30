package faultproxy

import (
	"encoding/json"

	"github.com/ethereum/go-ethereum/common/hexutil"
)

// sponsoring are the methods that answer with a paymaster's signature.
var sponsoring = []string{"pm_sponsorUserOperation", "pm_getPaymasterData"}

func paymasterFaults() []fault {
	return []fault{
		{kind: NotSponsored, weight: 10, roles: []Role{Paymaster}, applies: asking(sponsoring...), do: changing(
			func(_ *exchange, _ call, m member) bool {
				return inResult(m, func(sponsorship member) bool {
					sponsorship["paymasterAndData"] = json.RawMessage(`"0x"`)
					return true
				})
			})},
		{kind: SpoiltSponsorship, weight: 10, roles: []Role{Paymaster}, applies: asking(sponsoring...), do: changing(
			func(_ *exchange, _ call, m member) bool { return inResult(m, spoil) })},
	}
}

// spoil changes a bit of the signature, which is at the end of what the paymaster gave: before the zeros that
// fill the last word.
func spoil(sponsorship member) bool {
	var data hexutil.Bytes
	if json.Unmarshal(sponsorship["paymasterAndData"], &data) != nil {
		return false
	}
	for i := len(data) - 2; i > 0; i-- { // not its last byte, which is no more than 27 or 28
		if data[i] != 0 && data[i+1] != 0 {
			data[i] ^= 1
			sponsorship["paymasterAndData"] = encode(data)
			return true
		}
	}
	return false
}
