package tsstore

import (
	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
)

// InspectOption says what [Store.Inspect] knows beside the files. It is an [ExportOption] too.
type InspectOption func(*settings)

// ExportOption changes how [Store.Export] and [Transfer] take sessions out of the files.
type ExportOption interface{ export(*settings) }

type exportOption func(*settings)

func (o InspectOption) export(set *settings) { o(set) }
func (o exportOption) export(set *settings)  { o(set) }

// settings is what the options say.
type settings struct {
	modules      policy.Modules
	functions    []*abi.Function
	chain        session.Chain
	aead         seal.AEAD
	repeatLeaves bool
	rootOfLeaves bool
}

// WithChain compares the roots with the one on chain, which decides what leaves are in the tree.
func WithChain(chain session.Chain) InspectOption {
	return func(set *settings) { set.chain = chain }
}

// WithFunctions makes functions known by their selectors, so that rules are judged by the types of the
// arguments. Leaves that are exported get their names.
func WithFunctions(functions ...*abi.Function) InspectOption {
	return func(set *settings) { set.functions = append(set.functions, functions...) }
}

// WithModules replaces the well-known session contracts.
func WithModules(m policy.Modules) InspectOption {
	return func(set *settings) { set.modules = m }
}

// WithKeys exports the keys of the leaves that are not revoked, sealed by aead. [Transfer] moves them without
// it.
func WithKeys(aead seal.AEAD) ExportOption {
	return exportOption(func(set *settings) { set.aead = aead })
}

// RepeatLeaves takes a tree over that has leaves twice, as the SDK's revokeSessions builds it
// ([FindingRepeatedLeaves]). The root stays the one on chain, so that the leaves in force can be proven at
// once. Each repetition becomes a tombstone with an ID of its own, which leaves the tree with the next grant
// or revocation.
func RepeatLeaves() ExportOption {
	return exportOption(func(set *settings) { set.repeatLeaves = true })
}

// RootOfLeaves takes all leaf nodes over, each once, where their root is not the one on chain
// ([FindingRootMismatch], [FindingRepeatedLeaves]). They cannot be proven until the owner grants or revokes
// with account.ReplaceRoot.
func RootOfLeaves() ExportOption {
	return exportOption(func(set *settings) { set.rootOfLeaves = true })
}
