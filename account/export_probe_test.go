package account

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// Probe is a probe for tests outside, which can have a chain.
type Probe struct {
	To   common.Address
	Data []byte
	Acts bool
	Most int
}

// Sight is what a [Probe] saw.
type Sight struct {
	Balance     uint256.Int
	HasCode, OK bool
	Answer      []byte
}

// Look makes probes.
func Look(ctx context.Context, chain Chain, probes ...Probe) ([]Sight, error) {
	own := make([]probe, len(probes))
	for i, p := range probes {
		own[i] = probe{to: p.To, data: p.Data, acts: p.Acts, most: p.Most}
	}
	seen, err := look(ctx, chain, own...)
	sights := make([]Sight, len(seen))
	for i, s := range seen {
		sights[i] = Sight{Balance: s.balance, HasCode: s.hasCode, OK: s.ok, Answer: s.answer}
	}
	return sights, err
}
