package accounttest

import (
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/internal/reason"
	"github.com/go-sesame/sesame/paymaster"
)

// Refuse has the bundler refuse the next operations that are sent to it, one for each error: such as a
// [*bundler.Error] of which Code and Message suffice, or a [*bundler.TransportError].
func (b *ModelBundler) Refuse(errs ...error) {
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	for _, err := range errs {
		if scripted, ok := err.(*bundler.Error); ok && scripted != nil {
			err = (*bundler.Error)(complete(reason.Answer(*scripted), methodSend))
		}
		b.script.refuse(err)
	}
}

// Fail makes every request to the bundler fail with err, as when it is down; nil ends that.
func (b *ModelBundler) Fail(err error) {
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	b.script.broken = err
}

// LoseAnswers has the answers to the next n operations get lost, whatever they are: whoever sent one learns
// of HTTP status 504 only. A client sends three times, and then asks for the receipt and looks at the chain.
func (b *ModelBundler) LoseAnswers(n int) {
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	b.lost = n
}

// DelayReceipts has the next n questions for the receipt of an included operation answered as if it was not
// included.
func (b *ModelBundler) DelayReceipts(n int) {
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	b.late = n
}

// Pause keeps operations in the mempool, on their way, until [ModelBundler.Resume].
func (b *ModelBundler) Pause() { b.pool.pause(true) }

// Resume ends [ModelBundler.Pause]: what waits is included if it still is valid, and given up if not.
func (b *ModelBundler) Resume() {
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	b.pool.pause(false)
	b.bundle()
}

// Drop gives up an operation that waits, and reports whether there was one.
func (b *ModelBundler) Drop(hash common.Hash) bool {
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	dropped := b.pool.giveUp(hash, "dropped by the test")
	if dropped {
		b.settle(hash)
	}
	return dropped
}

// Requests returns what the bundler was asked, in order.
func (b *ModelBundler) Requests() []ModelRequest {
	b.model.mu.Lock()
	defer b.model.mu.Unlock()
	return slices.Clone(b.script.log)
}

// Refuse has the paymaster refuse the next operations, one for each error: such as a [*paymaster.Error] of
// which Code and Message suffice.
func (p *ModelPaymaster) Refuse(errs ...error) {
	p.model.mu.Lock()
	defer p.model.mu.Unlock()
	for _, err := range errs {
		if scripted, ok := err.(*paymaster.Error); ok && scripted != nil {
			err = (*paymaster.Error)(complete(reason.Answer(*scripted), methodSponsor))
		}
		p.script.refuse(err)
	}
}

// Fail makes every request to the paymaster fail with err, as when it is down; nil ends that.
func (p *ModelPaymaster) Fail(err error) {
	p.model.mu.Lock()
	defer p.model.mu.Unlock()
	p.script.broken = err
}

// Requests returns what the paymaster was asked, in order.
func (p *ModelPaymaster) Requests() []ModelRequest {
	p.model.mu.Lock()
	defer p.model.mu.Unlock()
	return slices.Clone(p.script.log)
}

// hashOf makes up a hash that is no other's.
func hashOf(of string, number [32]byte) common.Hash {
	return crypto.Keccak256Hash([]byte("sesame model "+of), number[:])
}
