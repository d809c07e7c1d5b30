package bundler

import "github.com/go-sesame/sesame/internal/jsonrpc"

// OwnInclusion reports whether a refusal to take an operation may come from the operation's own inclusion,
// when the request was made twice on its way: it is about what the chain has of the account or the paymaster.
// One for the request's form, for rules, or for a signature is not.
func (e *Error) OwnInclusion() bool {
	switch e.Code {
	case jsonrpc.CodeOpcode, jsonrpc.CodeBanned, jsonrpc.CodeStake, jsonrpc.CodeAggregator, jsonrpc.CodeSignature,
		jsonrpc.CodeInvalidParams, jsonrpc.CodeMethodNotFound, jsonrpc.CodeMethodNotSupported:
		return false
	}
	return true
}
