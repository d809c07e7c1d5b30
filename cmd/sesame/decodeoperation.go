package main

import (
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/userop"
)

// operationJSON is a user operation. Amounts are decimal, in wei and gas.
type operationJSON struct {
	Hash                 *common.Hash    `json:"hash,omitempty"`
	EntryPoint           *common.Address `json:"entryPoint,omitempty"`
	ChainID              uint64          `json:"chainID,omitempty"`
	Sender               common.Address  `json:"sender"`
	Lane                 string          `json:"lane"`
	Counter              uint64          `json:"counter"`
	Factory              *common.Address `json:"factory,omitempty"`
	CallGasLimit         string          `json:"callGasLimit"`
	VerificationGasLimit string          `json:"verificationGasLimit"`
	PreVerificationGas   string          `json:"preVerificationGas"`
	MaxFeePerGas         string          `json:"maxFeePerGas"`
	MaxPriorityFeePerGas string          `json:"maxPriorityFeePerGas"`
	MaxCost              string          `json:"maxCost,omitempty"`
	Paymaster            *common.Address `json:"paymaster,omitempty"`
	PaymasterData        int             `json:"paymasterDataBytes,omitempty"`
	Signature            int             `json:"signatureBytes"`
	Module               *common.Address `json:"module,omitempty"`
	ModuleIs             string          `json:"moduleIs,omitempty"`
	Problem              string          `json:"problem,omitempty"`
}

// operation says an operation of EntryPoint v0.6, by the EntryPoint where its answer names one.
func (d *decoding) operation(text, entryPoint json.RawMessage) (*decodedJSON, error) {
	var op userop.Operation
	if err := json.Unmarshal(text, &op); err != nil {
		return nil, fmt.Errorf("the operation: %w%s", err, otherVersion(text))
	}
	said := &operationJSON{
		Sender: op.Sender, ChainID: d.chain, Counter: op.Nonce.Uint64(), Lane: new(uint256.Int).Rsh(&op.Nonce, 64).Hex(),
		CallGasLimit: op.CallGasLimit.Dec(), VerificationGasLimit: op.VerificationGasLimit.Dec(), PreVerificationGas: op.PreVerificationGas.Dec(),
		MaxFeePerGas: op.MaxFeePerGas.Dec(), MaxPriorityFeePerGas: op.MaxPriorityFeePerGas.Dec(), Signature: len(op.Signature),
	}
	if cost, ok := op.Prefund(); ok {
		said.MaxCost = cost.Dec()
	}
	said.Factory, said.Paymaster = leading(op.InitCode), leading(op.PaymasterAndData)
	said.PaymasterData = max(0, len(op.PaymasterAndData)-common.AddressLength)
	d.signature(said, op.Signature)
	d.hash(said, &op, entryPoint)
	result := &decodedJSON{Kind: kindOperation, Summary: "A user operation of EntryPoint v0.6", Operation: said}
	calls, err := d.client.Account(op.Sender).Decode(op.CallData)
	if err != nil {
		said.Problem = err.Error()
		if len(op.CallData) >= abi.SelectorSize {
			result.Calls = []callJSON{d.callData(op.CallData)}
		}
		return result, nil
	}
	result.Calls = d.calls(calls)
	return result, nil
}

// otherVersion says of JSON whether it is an operation of a later EntryPoint.
func otherVersion(text []byte) string {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(text, &fields)
	for _, name := range []string{"accountGasLimits", "paymasterVerificationGasLimit", "factoryData", "gasFees"} {
		if _, ok := fields[name]; ok {
			return "; it has " + name + ", as operations of EntryPoint v0.7 and later, which are not decoded"
		}
	}
	return ""
}

// leading is the address that bytes begin with, nil where they are too few.
func leading(data []byte) *common.Address {
	if len(data) < common.AddressLength {
		return nil
	}
	address := common.BytesToAddress(data[:common.AddressLength])
	return &address
}

// signature says by which module the account is to judge.
func (d *decoding) signature(said *operationJSON, signature []byte) {
	parts, err := abi.UnpackResult("function signature() returns (bytes signature, address module)", signature)
	if err != nil {
		return
	}
	module := parts[1].(common.Address)
	said.Module, said.ModuleIs = &module, contractName(module, d.chain)
}

// hash works the operation's hash out, where the chain is known.
func (d *decoding) hash(said *operationJSON, op *userop.Operation, entryPoint json.RawMessage) {
	at := *d.entryPoint
	if at == (common.Address{}) && json.Unmarshal(entryPoint, &at) != nil || at == (common.Address{}) {
		at = account.DefaultContracts(d.chain).EntryPoint
	}
	if d.chain != 0 {
		hash := op.Hash(at, d.chain)
		said.Hash, said.EntryPoint = &hash, &at
	}
}

func (o *operationJSON) facts(t *table) {
	if o.Hash != nil {
		t.row("hash", fmt.Sprintf("%s on chain %d, by EntryPoint %s", o.Hash, o.ChainID, o.EntryPoint))
	}
	t.row("account", o.Sender)
	t.row("nonce", fmt.Sprintf("%d in lane %s", o.Counter, o.Lane))
	if o.Factory != nil {
		t.row("deploys", fmt.Sprintf("the account, by factory %s", o.Factory))
	}
	t.row("gas limits", fmt.Sprintf("%s call, %s verification, %s preVerification", o.CallGasLimit, o.VerificationGasLimit, o.PreVerificationGas))
	t.row("fees", fmt.Sprintf("at most %s a gas, with a tip of %s", gwei(o.MaxFeePerGas), gwei(o.MaxPriorityFeePerGas)))
	if o.MaxCost != "" {
		t.row("costs", "at most "+ether(o.MaxCost))
	}
	payer := "the account itself"
	if o.Paymaster != nil {
		payer = fmt.Sprintf("paymaster %s, with %d bytes for it", o.Paymaster, o.PaymasterData)
	}
	t.row("paid by", payer)
	signature := fmt.Sprintf("%d bytes", o.Signature)
	if o.Module != nil {
		signature += ", for module " + named(*o.Module, o.ModuleIs)
	}
	t.row("signature", signature)
	if o.Problem != "" {
		t.row(cell{"problem", alarm}, o.Problem)
	}
}

// gwei is an amount of wei in gwei.
func gwei(wei string) string {
	amount, err := uint256.FromDecimal(wei)
	if err != nil {
		return wei + " wei"
	}
	return account.Balance{Amount: *amount, Decimals: 9}.String() + " gwei"
}

// receiptJSON is the receipt of an operation, as a bundler gives it: its word alone.
type receiptJSON struct {
	Hash        common.Hash     `json:"hash"`
	Sender      common.Address  `json:"sender"`
	Success     bool            `json:"success"`
	Reason      string          `json:"reason,omitempty"`
	Transaction common.Hash     `json:"transaction"`
	Block       uint64          `json:"block,omitempty"`
	GasUsed     string          `json:"gasUsed"`
	GasCost     string          `json:"gasCost"`
	Paymaster   *common.Address `json:"paymaster,omitempty"`
	Logs        []logJSON       `json:"logs,omitempty"`
}

// logJSON is one log of an operation.
type logJSON struct {
	Contract   common.Address `json:"contract"`
	ContractIs string         `json:"contractIs,omitempty"`
	Event      string         `json:"event,omitempty"`
	Args       []argJSON      `json:"args,omitempty"`
	Topic      *common.Hash   `json:"topic,omitempty"` // of an event that is not known
}

func (r *receiptJSON) facts(t *table) {
	outcome := cell{"succeeded", good}
	if !r.Success {
		outcome = cell{"was included, and failed", alarm}
	}
	t.row("operation", r.Hash)
	t.row("it", outcome)
	if r.Reason != "" {
		t.row("reason", r.Reason)
	}
	t.row("account", r.Sender)
	t.row("transaction", r.Transaction)
	if r.Block != 0 {
		t.row("block", r.Block)
	}
	payer := "the account itself"
	if r.Paymaster != nil {
		payer = "paymaster " + r.Paymaster.Hex()
	}
	t.row("cost", fmt.Sprintf("%s for %s gas, paid by %s", ether(r.GasCost), r.GasUsed, payer))
}

func (r *receiptJSON) printLogs(p *printer) {
	if len(r.Logs) == 0 {
		return
	}
	p.title("Logs")
	t := &table{head: []string{"CONTRACT", "EVENT"}}
	for i := range r.Logs {
		t.row(named(r.Logs[i].Contract, r.Logs[i].ContractIs), r.Logs[i].words())
	}
	p.table(2, t)
}

func (l *logJSON) words() string {
	if l.Event == "" {
		if l.Topic == nil {
			return "without a topic"
		}
		return "unknown, topic " + l.Topic.Hex()
	}
	text := l.Event + "("
	for i, arg := range l.Args {
		if i > 0 {
			text += ", "
		}
		if arg.Name != "" {
			text += arg.Name + " = "
		}
		text += arg.Value
	}
	return text + ")"
}
