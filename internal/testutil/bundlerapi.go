package testutil

import (
	"context"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/userop"
)

// bundlerAPIs are the methods by namespace.
func bundlerAPIs(b *Bundler, vendor Vendor) map[string]any {
	standard := &standardAPI{bundlerAPI{b}}
	switch vendor {
	case Biconomy:
		return map[string]any{"eth": &biconomyEthAPI{bundlerAPI{b}}, "biconomy": &biconomyAPI{b}}
	case Pimlico:
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
	CallGasLimit         userop.Quantity `json:"callGasLimit"`
	VerificationGasLimit userop.Quantity `json:"verificationGasLimit"`
	PreVerificationGas   userop.Quantity `json:"preVerificationGas"`
}

func (api bundlerAPI) EstimateUserOperationGas(ctx context.Context, op draftOp, entryPoint common.Address, overrides *userop.StateOverride) (*gasEstimate, error) {
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
		CallGasLimit:         userop.Quantity(gas.CallGasLimit),
		VerificationGasLimit: userop.Quantity(gas.VerificationGasLimit),
		PreVerificationGas:   userop.Quantity(gas.PreVerificationGas),
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
			return common.Hash{}, invalid("simulation_type %q is neither validation nor validation_and_execution", simulation.SimulationType)
		}
	}
	return api.b.accept(ctx, &op, entryPoint, execute)
}

// feeQuote is a price, in wei per gas.
type feeQuote struct {
	MaxFeePerGas         *hexutil.Big `json:"maxFeePerGas"`
	MaxPriorityFeePerGas *hexutil.Big `json:"maxPriorityFeePerGas"`
}

// price quotes what an operation should offer now, times percent/100.
func (b *Bundler) price(ctx context.Context, percent int64) (*feeQuote, error) {
	head, err := b.chain.client.HeaderByNumber(ctx, nil)
	if err != nil {
		return nil, err
	}
	scale := func(v *big.Int) *hexutil.Big {
		v = new(big.Int).Mul(v, big.NewInt(percent))
		return (*hexutil.Big)(v.Div(v, big.NewInt(100)))
	}
	tip := big.NewInt(priorityFee)
	return &feeQuote{
		MaxFeePerGas:         scale(new(big.Int).Add(tip, new(big.Int).Lsh(head.BaseFee, 1))),
		MaxPriorityFeePerGas: scale(tip),
	}, nil
}

// accept validates an operation and puts it into the mempool.
func (b *Bundler) accept(ctx context.Context, op *userop.Operation, entryPoint common.Address, execute bool) (common.Hash, error) {
	if err := b.checkEntryPoint(entryPoint); err != nil {
		return common.Hash{}, err
	}
	defer b.pool.arrive()()
	hash := op.Hash(b.entryPoint, b.chain.ChainID())
	if err := b.pool.checkNew(hash, op); err != nil {
		return common.Hash{}, err
	}
	if err := b.checkFields(ctx, op); err != nil {
		return common.Hash{}, err
	}
	if err := b.validate(ctx, op); err != nil {
		return common.Hash{}, err
	}
	if execute {
		if err := b.execute(ctx, op); err != nil {
			return common.Hash{}, err
		}
	}
	return hash, b.pool.add(hash, op)
}

func (b *Bundler) checkEntryPoint(entryPoint common.Address) error {
	if entryPoint != b.entryPoint {
		return invalid("EntryPoint %s is not supported, only %s is", entryPoint, b.entryPoint)
	}
	return nil
}

// checkFields checks what the EntryPoint does not: that the bundler gets its pay.
func (b *Bundler) checkFields(ctx context.Context, op *userop.Operation) error {
	head, err := b.chain.client.HeaderByNumber(ctx, nil)
	if err != nil {
		return err
	}
	baseFee := uint256.MustFromBig(head.BaseFee)
	leastPre := uint256.NewInt(preVerificationGas(op) * 9 / 10)
	switch {
	case op.MaxPriorityFeePerGas.Gt(&op.MaxFeePerGas):
		return invalid("maxPriorityFeePerGas %s is above maxFeePerGas %s", op.MaxPriorityFeePerGas.Dec(), op.MaxFeePerGas.Dec())
	case op.MaxFeePerGas.Lt(baseFee):
		return invalid("maxFeePerGas is too low: it has to be at least %s, it is %s", baseFee.Dec(), op.MaxFeePerGas.Dec())
	case op.PreVerificationGas.Lt(leastPre):
		return invalid("preVerificationGas is too low: it has to be at least %s, it is %s", leastPre.Dec(), op.PreVerificationGas.Dec())
	case !op.VerificationGasLimit.LtUint64(maxVerificationGas + 1):
		return invalid("verificationGasLimit is too high: it may be %d at most, it is %s", maxVerificationGas, op.VerificationGasLimit.Dec())
	case !op.CallGasLimit.LtUint64(maxCallGas + 1):
		return invalid("callGasLimit is too high: it may be %d at most, it is %s", maxCallGas, op.CallGasLimit.Dec())
	case !op.PreVerificationGas.LtUint64(maxCallGas):
		return invalid("preVerificationGas is too high: %s", op.PreVerificationGas.Dec())
	}
	return nil
}

// execute tries the operation's call with its own limits.
func (b *Bundler) execute(ctx context.Context, op *userop.Operation) error {
	used, err := (&estimator{simulator: b.simulator}).measure(ctx, op, nil)
	if err == nil && used.failed != nil {
		return executionReverted(used.failed)
	}
	return err
}
