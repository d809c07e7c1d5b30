package observe

import (
	"fmt"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// Event is what hooks are told. Package userop has the same type for its users, and says what the fields are.
type Event struct {
	What       string
	ChainID    uint64
	EntryPoint common.Address
	Account    common.Address
	Hash       common.Hash
	Attempt    int
	Outcome    string
	AA         string
	RPCCode    int
	Took       time.Duration
	GasUsed    uint256.Int
	GasCost    uint256.Int
	Service    string
	Detail     string
	Err        error
}

// String tells the event in a line, in the words of a log.
func (e Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s chain=%d", e.What, e.ChainID)
	for _, a := range e.attrs() {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value.Resolve())
	}
	return b.String()
}
