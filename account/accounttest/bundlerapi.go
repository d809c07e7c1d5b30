package accounttest

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/bundler/bundlertest"
	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/internal/kit"
	"github.com/go-sesame/sesame/internal/quantity"
	"github.com/go-sesame/sesame/userop"
)

// bundlerAPIs are the methods by namespace.
func bundlerAPIs(b *Bundler, vendor bundlertest.Vendor) map[string]any {
	standard := &standardAPI{bundlerAPI{b}}
	switch vendor {
	case bundlertest.Biconomy:
		return map[string]any{"eth": &biconomyEthAPI{bundlerAPI{b}}, "biconomy": &biconomyAPI{b}}
	case bundlertest.Pimlico:
		return map[string]any{"eth": standard, "pimlico": &pimlicoAPI{b}}
	}
	return map[string]any{"eth": standard}
}

// bundlerAPI has the methods of namespace eth that all vendors have alike.
type bundlerAPI struct{ b *Bundler }

// ChainId is eth_chainId.
func (api bundlerAPI) ChainId() hexutil.Uint64 {
	return hexutil.Uint64(api.b.chain.ChainID())
}

func (api bundlerAPI) SupportedEntryPoints() []common.Address {
	return []common.Address{api.b.entryPoint}
}

// gasEstimate is the answer of eth_estimateUserOperationGas.
type gasEstimate struct {
	CallGasLimit         quantity.Quantity `json:"callGasLimit"`
	VerificationGasLimit quantity.Quantity `json:"verificationGasLimit"`
	PreVerificationGas   quantity.Quantity `json:"preVerificationGas"`
}

func (api bundlerAPI) EstimateUserOperationGas(ctx context.Context, op kit.DraftOperation, entryPoint common.Address, overrides *userop.StateOverride) (*gasEstimate, error) {
	if err := api.b.checkEntryPoint(entryPoint); err != nil {
		return nil, err
	}
	if overrides == nil {
		overrides = &userop.StateOverride{}
	}
	gas, err := (&estimator{simulator: api.b.simulator}).estimate(ctx, &op.Operation, *overrides)
	if err != nil {
		return nil, err
	}
	return &gasEstimate{
		CallGasLimit:         quantity.Quantity(gas.CallGasLimit),
		VerificationGasLimit: quantity.Quantity(gas.VerificationGasLimit),
		PreVerificationGas:   quantity.Quantity(gas.PreVerificationGas),
	}, nil
}

func (api bundlerAPI) GetUserOperationReceipt(ctx context.Context, hash common.Hash) (*opReceipt, error) {
	return api.b.receipt(ctx, hash)
}

// knownOp is the answer of eth_getUserOperationByHash. The block is null while the operation waits.
type knownOp struct {
	UserOperation   *userop.Operation `json:"userOperation"`
	EntryPoint      common.Address    `json:"entryPoint"`
	TransactionHash *common.Hash      `json:"transactionHash"`
	BlockHash       *common.Hash      `json:"blockHash"`
	BlockNumber     *hexutil.Big      `json:"blockNumber"`
}

func (api bundlerAPI) GetUserOperationByHash(ctx context.Context, hash common.Hash) (*knownOp, error) {
	api.b.chain.rewinding.RLock()
	defer api.b.chain.rewinding.RUnlock()
	entry, ok := api.b.pool.get(hash)
	if !ok || entry.state == opDropped {
		return nil, nil // JSON null, as the method has it
	}
	answer := &knownOp{UserOperation: entry.op, EntryPoint: api.b.entryPoint}
	if entry.state != opIncluded {
		return answer, nil
	}
	receipt, err := api.b.chain.client.TransactionReceipt(ctx, entry.txHash)
	if err != nil {
		return nil, err
	}
	answer.TransactionHash, answer.BlockHash = &receipt.TxHash, &receipt.BlockHash
	answer.BlockNumber = (*hexutil.Big)(receipt.BlockNumber)
	return answer, nil
}

// standardAPI has an eth_sendUserOperation of two parameters.
type standardAPI struct{ bundlerAPI }

func (api *standardAPI) SendUserOperation(ctx context.Context, op userop.Operation, entryPoint common.Address) (common.Hash, error) {
	return api.b.accept(ctx, &op, entryPoint, false)
}

// biconomyEthAPI has Biconomy's third parameter.
type biconomyEthAPI struct{ bundlerAPI }

type simulationType struct {
	SimulationType string `json:"simulation_type"`
}

func (api *biconomyEthAPI) SendUserOperation(ctx context.Context, op userop.Operation, entryPoint common.Address, simulation *simulationType) (common.Hash, error) {
	execute := false
	if simulation != nil {
		switch simulation.SimulationType {
		case "", "validation":
		case "validation_and_execution":
			execute = true
		default:
			return common.Hash{}, jsonrpctest.Invalid("simulation_type %q is neither validation nor validation_and_execution", simulation.SimulationType)
		}
	}
	return api.b.accept(ctx, &op, entryPoint, execute)
}
