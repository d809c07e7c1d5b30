package jsonrpc

// The error codes of JSON-RPC 2.0, and a service's own.
const (
	CodeParse          = -32700
	CodeInvalidRequest = -32600
	CodeMethodNotFound = -32601
	CodeInvalidParams  = -32602
	CodeInternal       = -32603
	CodeServer         = -32000
)

// The error codes that EIP-1474 adds, as far as they matter here.
const (
	CodeMethodNotSupported = -32004
	CodeLimitExceeded      = -32005
)

// The error codes of Biconomy's bundler. It says CodeMethodNotSupported of a hash that it does not know, and
// CodeLimitExceeded of an operation whose state it cannot tell.
const (
	CodeUnauthorized          = -32001
	CodeBadRequest            = -32003
	CodeTipTooLow             = -32006
	CodeFeeTooLow             = -32007
	CodePreVerificationTooLow = -32008
)

// The error codes of bundlers (ERC-7769); package bundler says what they mean.
const (
	CodeRejected         = -32500
	CodePaymaster        = -32501
	CodeOpcode           = -32502
	CodeTimeRange        = -32503
	CodeBanned           = -32504
	CodeStake            = -32505
	CodeAggregator       = -32506
	CodeSignature        = -32507
	CodePaymasterDeposit = -32508
	CodeReverted         = -32521
)
