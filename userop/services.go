package userop

import (
	"context"
	"math/big"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
)

// Signer turns an operation into its signature bytes. Implementations are safe for concurrent use.
type Signer interface {
	// DummySignature returns bytes of the right shape for estimation; they never validate.
	DummySignature(op *Operation) ([]byte, error)
	// Sign returns the signature for op, whose userOpHash is hash.
	Sign(ctx context.Context, op *Operation, hash common.Hash) ([]byte, error)
}

// Bundler is what the pipeline needs of a bundler; *bundler.Client is one. A wrapper around one, such as a
// decorator that counts, says what it wraps by a method Unwrap() Bundler, so that what it can do besides
// ([Identity], [FeeSource], [DropReporter], [LossReporter], [Notifier], [ReceiptsReader]) is found
// within.
type Bundler interface {
	// SendUserOperation submits op and returns the hash the bundler knows it by (eth_sendUserOperation). A
	// bundler that says it knows the operation already has accepted it: that is success.
	SendUserOperation(ctx context.Context, op *Operation, entryPoint common.Address) (common.Hash, error)
	// EstimateUserOperationGas returns the limits op needs (eth_estimateUserOperationGas). op carries a dummy
	// signature. overrides may be nil.
	EstimateUserOperationGas(ctx context.Context, op *Operation, entryPoint common.Address, overrides StateOverride) (Gas, error)
	// UserOperationReceipt returns the receipt of an included operation (eth_getUserOperationReceipt), or an
	// error matching [ErrNotFound] while there is none.
	UserOperationReceipt(ctx context.Context, hash common.Hash) (*Receipt, error)
}

// StateOverride changes accounts for the time of one estimation, as in eth_call's third parameter.
type StateOverride map[common.Address]AccountOverride

// AccountOverride is what [StateOverride] changes of one account. Nil fields stay as they are.
type AccountOverride struct {
	Balance   *hexutil.U256               `json:"balance,omitempty"`
	Nonce     *hexutil.Uint64             `json:"nonce,omitempty"`
	Code      hexutil.Bytes               `json:"code,omitempty"`
	State     map[common.Hash]common.Hash `json:"state,omitempty"`
	StateDiff map[common.Hash]common.Hash `json:"stateDiff,omitempty"`
}

// FeeSource proposes fees for the next operation. A bundler that knows its own price is one. One that
// remembers what it proposed has a method Forget(), which is called after a service refused an operation: it
// may have been for its fees.
type FeeSource interface {
	// Fees returns fees in wei per gas, or an error matching [ErrNoFees] where there are none to propose.
	Fees(ctx context.Context) (Fees, error)
}

// Identity is what a service says about the chain it serves. A [Bundler] is asked before its first operation,
// so that nothing is signed for the wrong chain or EntryPoint; one that is no Identity, nor wraps one, is
// refused unless [SenderConfig].UnidentifiedBundler takes it.
type Identity interface {
	// ChainID returns the chain that the service serves (eth_chainId).
	ChainID(ctx context.Context) (uint64, error)
	// SupportedEntryPoints returns the EntryPoints that it takes operations for (eth_supportedEntryPoints).
	SupportedEntryPoints(ctx context.Context) ([]common.Address, error)
}

// DropReporter is a [Bundler] that can tell whether it gave an operation up; a wait asks it now and then.
// That is its word, and ends nothing: the operation may land all the same.
type DropReporter interface {
	// UserOperationDropped reports whether the bundler says that it gave up the operation with that
	// userOpHash.
	UserOperationDropped(ctx context.Context, hash common.Hash) (bool, error)
}

// LossReporter is a [Bundler] that can tell whether it still knows an operation. A wait that lasts asks it
// now and then, and hands the same bytes to one that does not, as after it lost its mempool, while the chain
// shows the nonce unused.
type LossReporter interface {
	// UserOperationLost reports whether the bundler says that it does not know an operation with that
	// userOpHash; false for one that cannot tell.
	UserOperationLost(ctx context.Context, hash common.Hash) (bool, error)
}

// ReceiptsReader is a [Bundler] that can be asked for many receipts in one request. It is, where many
// operations are waited for.
type ReceiptsReader interface {
	// UserOperationReceipts returns what UserOperationReceipt would for each hash, in their order; an error
	// matching [ErrNoBatch] where the service takes one request at a time, which is worth remembering here.
	UserOperationReceipts(ctx context.Context, hashes []common.Hash) ([]ReceiptAnswer, error)
}

// ReceiptAnswer is a receipt, or why there is none.
type ReceiptAnswer struct {
	Receipt *Receipt
	Err     error
}

// Chain is what the pipeline reads of a node, to know what became of an operation instead of believing a
// service. The client of package account makes one of its node.
type Chain interface {
	// BlockNumber returns the number of the newest block.
	BlockNumber(ctx context.Context) (uint64, error)
	// FilterLogs returns the logs of a range of blocks, which the query names by number, in their order.
	FilterLogs(ctx context.Context, query ethereum.FilterQuery) ([]types.Log, error)
	// NonceState tells what a block says of the nonce of op: that of a number, or the newest one for nil.
	NonceState(ctx context.Context, op *Operation, block *big.Int) (NonceState, error)
}

// HeadSubscriber is a [Chain] that tells of new blocks by itself, as a node does over a websocket: waits look
// at it then, rather than around the moment when they expect one. That is all it is taken for.
type HeadSubscriber interface {
	// SubscribeNewHead sends the new blocks' headers until the subscription ends; an error where the node
	// cannot.
	SubscribeNewHead(ctx context.Context, heads chan<- *types.Header) (ethereum.Subscription, error)
}

// NonceState is what a block says of an operation's nonce.
type NonceState struct {
	// Used reports whether the EntryPoint has counted past the nonce.
	Used bool
	// BlockTime is that of the block, in unix seconds.
	BlockTime uint64
}

// Notifier is a [Bundler] that tells by itself when there is something to ask about an operation, as one in
// the same process can: a wait then need not sleep until it asks. What became of the operation is asked all
// the same.
type Notifier interface {
	// Settled returns a channel that is closed when the operation was included or given up; nil for one that
	// the bundler does not tell about.
	Settled(hash common.Hash) <-chan struct{}
}

// Paymaster is what the pipeline needs of a paymaster service; *paymaster.Client is one. A wrapper around one
// says what it wraps by a method Unwrap() Paymaster, for [FeeQuoter] to be found.
type Paymaster interface {
	// SponsorUserOperation asks the service to pay for op, which carries a dummy signature. An answer that
	// sponsors nothing is an error.
	SponsorUserOperation(ctx context.Context, op *Operation, req SponsorRequest) (Sponsorship, error)
}

// SponsorRequest is how an operation is to be sponsored.
type SponsorRequest struct {
	EntryPoint common.Address
	ChainID    uint64
	// CalculateGasLimits asks the service to set the three gas limits.
	CalculateGasLimits bool
	// FeeToken, when set, asks to pay in this ERC-20 token instead of being sponsored.
	FeeToken *common.Address
	// Context is the [Draft]'s PaymasterContext.
	Context any
}

// Sponsorship is a paymaster's answer. The paymaster signed the operation with these limits: nil means that
// it left the operation's own limit alone.
type Sponsorship struct {
	PaymasterAndData     []byte
	CallGasLimit         *uint256.Int
	VerificationGasLimit *uint256.Int
	PreVerificationGas   *uint256.Int
}
