package accounttest

import (
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/account/accounttest/internal/node"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/userop"
)

// opState is where an operation is on its way to the chain.
type opState int

const (
	opWaiting opState = iota
	opSubmitted
	opIncluded
	opDropped
)

// pooledOp is an operation that the bundler has accepted.
type pooledOp struct {
	op     *userop.Operation // not changed any more
	hash   common.Hash
	state  opState
	reason string      // why it was dropped
	txHash common.Hash // of the bundle it is in
}

// lane identifies what a nonce may be used for once.
type lane struct {
	sender common.Address
	nonce  uint256.Int
}

// mempool holds the operations that the bundler accepted: those that wait, in the order they came, and what
// became of the others.
type mempool struct {
	mu      sync.Mutex
	known   map[common.Hash]*pooledOp
	lanes   map[lane]*pooledOp // waiting and submitted ones
	waiting []*pooledOp
	// contents are the operations of each bundle that was included.
	contents map[common.Hash][]*pooledOp
	bundles  int
	paused   bool

	arriving int           // operations being validated
	wake     chan struct{} // has an element when an operation came in
}

func newMempool() *mempool {
	return &mempool{
		known:    make(map[common.Hash]*pooledOp),
		lanes:    make(map[lane]*pooledOp),
		contents: make(map[common.Hash][]*pooledOp),
		wake:     make(chan struct{}, 1),
	}
}

// arrive counts an operation that is being validated, and returns the function that ends this.
func (m *mempool) arrive() func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.arriving++
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.arriving--
	}
}

func (m *mempool) hasArriving() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.arriving > 0
}

// checkNew returns the error for an operation that cannot be added. Beside one that is being included, it is
// validated first: who saw that one's block is told what the chain, and not what the mempool thinks of it.
func (m *mempool) checkNew(hash common.Hash, op *userop.Operation) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if other := m.lanes[lane{op.Sender, op.Nonce}]; other != nil && other.hash != hash && other.state == opSubmitted {
		return nil
	}
	return m.conflict(hash, op)
}

func (m *mempool) conflict(hash common.Hash, op *userop.Operation) error {
	other := m.lanes[lane{op.Sender, op.Nonce}]
	switch {
	case other == nil:
		return nil
	case other.hash == hash:
		return jsonrpctest.Invalid("already known")
	case other.state == opSubmitted:
		return jsonrpctest.Invalid("AA25 invalid account nonce: an operation with it is being included")
	case !outbids(op, other.op):
		return jsonrpctest.Invalid("replacement underpriced: both fees have to be 10%% above those of %s", other.hash)
	}
	return nil
}

// outbids reports whether both fees of op are at least 10% above those of old.
func outbids(op, old *userop.Operation) bool {
	higher := func(new, old *uint256.Int) bool {
		return !times(new, 10).Lt(times(old, 11))
	}
	return higher(&op.MaxFeePerGas, &old.MaxFeePerGas) && higher(&op.MaxPriorityFeePerGas, &old.MaxPriorityFeePerGas)
}

func times(v *uint256.Int, factor uint64) *uint256.Int {
	return new(uint256.Int).Mul(v, uint256.NewInt(factor))
}

// add accepts a validated operation.
func (m *mempool) add(hash common.Hash, op *userop.Operation) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.conflict(hash, op); err != nil {
		return err
	}
	key := lane{op.Sender, op.Nonce}
	if replaced := m.lanes[key]; replaced != nil {
		m.remove(replaced)
		replaced.state, replaced.reason = opDropped, "replaced by "+hash.Hex()
	}
	entry := &pooledOp{op: op, hash: hash}
	m.known[hash], m.lanes[key] = entry, entry
	m.waiting = append(m.waiting, entry)
	m.signal()
	return nil
}

// signal wakes the goroutine that makes bundles.
func (m *mempool) signal() {
	select {
	case m.wake <- struct{}{}:
	default: // it will wake anyway
	}
}

// pause stops or resumes the making of bundles.
func (m *mempool) pause(paused bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.paused = paused
	m.signal()
}

func (m *mempool) remove(entry *pooledOp) {
	for i := range m.waiting {
		if m.waiting[i] == entry {
			m.waiting = append(m.waiting[:i:i], m.waiting[i+1:]...)
			return
		}
	}
}

// Limits of one bundle: nodes refuse transactions of more than 128 KiB.
const (
	maxBundleBytes = 120_000
	maxBundleGas   = node.BlockGasLimit - 1_000_000
)

// take removes the operations of the next bundle from the queue: as many as fit, and none while paused.
func (m *mempool) take() []*pooledOp {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.paused {
		return nil
	}
	var gas, size uint64
	n := 0
	for _, entry := range m.waiting {
		gas += bundleGas(entry.op)
		size += uint64(len(contracts.HandleOps([]contracts.UserOperation{contracts.UserOperation(*entry.op)}, common.Address{})))
		if n > 0 && (gas > maxBundleGas || size > maxBundleBytes) {
			break
		}
		entry.state = opSubmitted
		n++
	}
	taken := m.waiting[:n:n]
	m.waiting = m.waiting[n:]
	return taken
}

// bundleGas is the most gas that an operation can take of its bundle.
func bundleGas(op *userop.Operation) uint64 {
	verifications := uint64(1)
	if len(op.PaymasterAndData) > 0 {
		verifications = 3 // postOp has the same limit, and may run twice
	}
	return op.CallGasLimit.Uint64() + verifications*op.VerificationGasLimit.Uint64() + op.PreVerificationGas.Uint64()
}

// drop gives an operation up.
func (m *mempool) drop(entry *pooledOp, reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	entry.state, entry.reason = opDropped, reason
	delete(m.lanes, lane{entry.op.Sender, entry.op.Nonce})
}

// giveUp drops an operation that waits, and reports whether there was one.
func (m *mempool) giveUp(hash common.Hash, reason string) bool {
	m.mu.Lock()
	entry, ok := m.known[hash]
	if ok = ok && entry.state == opWaiting; ok {
		m.remove(entry)
	}
	m.mu.Unlock()
	if ok {
		m.drop(entry, reason)
	}
	return ok
}

// include notes the bundle that operations are in.
func (m *mempool) include(entries []*pooledOp, txHash common.Hash) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bundles++
	m.contents[txHash] = entries
	for _, entry := range entries {
		entry.state, entry.txHash = opIncluded, txHash
		delete(m.lanes, lane{entry.op.Sender, entry.op.Nonce})
	}
}

// undo has the operations of bundles that were lost wait again, before all others and in the order in which
// they were included; or it forgets them.
func (m *mempool) undo(bundles []common.Hash, forget bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var back []*pooledOp
	for _, txHash := range bundles {
		for _, entry := range m.contents[txHash] {
			key := lane{entry.op.Sender, entry.op.Nonce}
			if forget || m.lanes[key] != nil {
				delete(m.known, entry.hash)
				continue
			}
			entry.state, entry.txHash = opWaiting, common.Hash{}
			m.lanes[key] = entry
			back = append(back, entry)
		}
		delete(m.contents, txHash)
	}
	m.waiting = append(back, m.waiting...)
	if len(back) > 0 {
		m.signal()
	}
}

// get returns what is known about an operation.
func (m *mempool) get(hash common.Hash) (pooledOp, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	entry, ok := m.known[hash]
	if !ok {
		return pooledOp{}, false
	}
	return *entry, true
}

func (m *mempool) bundleCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bundles
}

// waitingAt is the operation with the same nonce that waits, nil for none.
func (m *mempool) waitingAt(op *userop.Operation) *pooledOp {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lanes[lane{op.Sender, op.Nonce}]
}
