package account

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// MaxLegs is how many operations one signature can be for.
const MaxLegs = maxLegs

// ModulesByPage lists modules with pages of that size.
func (a *Account) ModulesByPage(ctx context.Context, page int) ([]common.Address, error) {
	return a.listModules(ctx, page)
}

// IsModuleEnabled asks the account about one module.
func (a *Account) IsModuleEnabled(ctx context.Context, module common.Address) (bool, error) {
	return a.isModuleEnabled(ctx, module)
}

// Module is the module that operations are signed for.
func (o *OwnedAccount) Module() Module { return o.active }

// MessageHash is what isValidSignature is asked about for a message.
func MessageHash(message []byte) common.Hash { return messageHash(message) }

// TypedDataHash is what isValidSignature is asked about for typed data.
func TypedDataHash(data apitypes.TypedData) (common.Hash, error) { return typedDataHash(data) }

// MultichainOperation is one of the operations of a signature.
type MultichainOperation = multichainOperation

// SignMultichain signs the operations at once.
func SignMultichain(ctx context.Context, owner Owner, ops ...MultichainOperation) ([][]byte, error) {
	return signMultichain(ctx, owner, ops...)
}

// MultichainDummy is what stands for a signature for so many operations.
func MultichainDummy(module common.Address, legs int) []byte {
	dummy, _ := multichainDummy{module: module, legs: legs}.DummySignature(nil)
	return dummy
}

// ExplainFailure tells why an operation failed that was included.
func ExplainFailure(c *Client, receipt *userop.Receipt) error { return c.explainFailure(receipt) }

// Identified is the client as a send's checks compare sessions with it.
func Identified(c *Client) session.Chain { return identified{c} }
