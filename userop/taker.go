package userop

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/internal/ability"
)

// Taker is a [Bundler] that hands operations to one of several, and knows to which; *bundler.Pool is one.
type Taker interface {
	// TakenBy returns the name of the member that took the operation with that userOpHash last, empty where
	// that is not known, or not any more.
	TakenBy(hash common.Hash) string
}

// Bundler returns the name of the bundler that took the operation, where there are several; empty otherwise,
// and where another process gave it away. What the others failed with is in the error of a send, by name.
func (p *Pending) Bundler() string {
	if taker, ok := ability.Find[Taker](p.sender.cfg.Bundler); ok {
		return taker.TakenBy(p.hash)
	}
	return ""
}
