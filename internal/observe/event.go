package observe

import (
	"fmt"
	"log/slog"
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
	b.WriteString(e.What)
	for _, a := range e.said() {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, " error=%s", Text(e.Err))
	}
	return b.String()
}

// LogValue is the event as the attributes of a log's line.
func (e Event) LogValue() slog.Value {
	return slog.GroupValue(append([]slog.Attr{slog.String("what", e.What)}, e.attrs()...)...)
}
