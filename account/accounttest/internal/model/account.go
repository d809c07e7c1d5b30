package model

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/abiword"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/userop"
)

// Variables of a smart account. The modules are a linked list, as in the contract: each has the next one.
const (
	nextModule     = "next module"
	handlerOfCalls = "fallback handler"
)

// accountMethods are those of the smart account, version 2, and of its fallback handler.
func accountMethods() map[string]method {
	execute := take3((*input).address, (*input).number, (*input).bytes, executeOne)
	batch := take3(addresses, numbers, manyBytes, executeBatch)
	methods := map[string]method{
		"execute_ncC(address,uint256,bytes)":            execute,
		"execute(address,uint256,bytes)":                execute,
		"executeBatch_y6U(address[],uint256[],bytes[])": batch,
		"executeBatch(address[],uint256[],bytes[])":     batch,
		"init(address,address,bytes)":                   take3((*input).address, (*input).address, (*input).bytes, initAccount),
		"enableModule(address)":                         take1((*input).address, guarded(enableModule)),
		"setupAndEnableModule(address,bytes)":           take2((*input).address, (*input).bytes, setupAndEnableModule),
		"disableModule(address,address)":                take2((*input).address, (*input).address, disableModule),
		"isModuleEnabled(address)":                      take1((*input).address, isModuleEnabled),
		"getModulesPaginated(address,uint256)":          take2((*input).address, (*input).number, getModules),
		"isValidSignature(bytes32,bytes)":               take2((*input).head, (*input).bytes, isValidSignature),
		"getImplementation()":                           take0(func(c *call) ([]byte, error) { return address(c.Addresses.Implementation) }),
		"VERSION()":                                     take0(func(*call) ([]byte, error) { return text("2.0.0") }),
		"entryPoint()":                                  take0(func(c *call) ([]byte, error) { return address(c.Addresses.EntryPoint) }),
		"getDeposit()":                                  take0(func(c *call) ([]byte, error) { return number(c.deposit(c.self)) }),
		"nonce(uint192)": take1((*input).number, func(c *call, key uint256.Int) ([]byte, error) {
			return c.call(c.Addresses.EntryPoint, new(uint256.Int), contracts.GetNonce(c.self, key))
		}),
		"addDeposit()":                       withValue(take0(addDeposit)),
		"withdrawDepositTo(address,uint256)": withValue(take2((*input).address, (*input).number, withdrawDeposit)),
		"supportsInterface(bytes4)": take1((*input).head, func(_ *call, id common.Hash) ([]byte, error) {
			return flag(id == common.HexToHash("0x01ffc9a7"+zeros56))
		}),
		validateSignature: {run: validateUserOp},
	}
	for signature, m := range handlerMethods() {
		methods[signature] = m
	}
	return methods
}

// zeros56 fills a bytes4 up to a word, in hex.
const zeros56 = "00000000000000000000000000000000000000000000000000000000"

// handlerMethods are the fallback handler's: what an account answers to whoever sends it tokens.
func handlerMethods() map[string]method {
	received := func(signature string) method {
		return method{run: func(*call, *input) ([]byte, error) { return magic(selectorOf(signature)) }}
	}
	const erc721, erc1155 = "onERC721Received(address,address,uint256,bytes)", "onERC1155Received(address,address,uint256,uint256,bytes)"
	return map[string]method{erc721: received(erc721), erc1155: received(erc1155)}
}

const accountEvent = "SmartAccountReceivedNativeToken(address,uint256)"

func receiveAtAccount(c *call) error {
	c.emit(accountEvent, []common.Hash{word(c.from), numberWord(&c.value)})
	return nil
}

func addresses(in *input, i int) []common.Address { return each(in, i, (*input).address) }

func numbers(in *input, i int) []uint256.Int { return each(in, i, (*input).number) }

func manyBytes(in *input, i int) [][]byte { return each(in, i, (*input).bytes) }

func (c *call) fromEntryPoint() error {
	if c.from != c.Addresses.EntryPoint {
		return custom("CallerIsNotEntryPoint(address)", word(c.from))
	}
	return nil
}

func (c *call) fromEntryPointOrSelf() error {
	if c.from != c.Addresses.EntryPoint && c.from != c.self {
		return custom("CallerIsNotEntryPointOrSelf(address)", word(c.from))
	}
	return nil
}

// guarded is a function for the EntryPoint and the account itself.
func guarded[A any](run func(*call, A) ([]byte, error)) func(*call, A) ([]byte, error) {
	return func(c *call, a A) ([]byte, error) {
		if err := c.fromEntryPointOrSelf(); err != nil {
			return nil, err
		}
		return run(c, a)
	}
}

func executeOne(c *call, to common.Address, value uint256.Int, data []byte) ([]byte, error) {
	if err := c.fromEntryPoint(); err != nil {
		return nil, err
	}
	_, err := c.call(to, &value, data)
	return nil, err
}

func executeBatch(c *call, to []common.Address, values []uint256.Int, data [][]byte) ([]byte, error) {
	if err := c.fromEntryPoint(); err != nil {
		return nil, err
	}
	if len(to) == 0 || len(to) != len(values) || len(values) != len(data) {
		return nil, custom("WrongBatchProvided(uint256,uint256,uint256,uint256)",
			uintWord(uint64(len(to))), uintWord(uint64(len(values))), uintWord(uint64(len(data))), common.Hash{})
	}
	for i := range to {
		if _, err := c.call(to[i], &values[i], data[i]); err != nil {
			return nil, err
		}
	}
	return nothing()
}

// initAccount sets a new account up, once.
func initAccount(c *call, handler, setup common.Address, data []byte) ([]byte, error) {
	if c.next(contracts.SentinelModule) != (common.Address{}) || c.address(c.slot(handlerOfCalls)) != (common.Address{}) {
		return nil, custom("AlreadyInitialized()")
	}
	if handler == (common.Address{}) {
		return nil, custom("HandlerCannotBeZero()")
	}
	c.setAddress(c.slot(handlerOfCalls), handler)
	module, err := c.setUpModule(setup, data)
	if err != nil {
		return nil, err
	}
	if reserved(module) {
		return nil, custom("ModuleCannotBeZeroOrSentinel(address)", word(module))
	}
	c.setNext(module, contracts.SentinelModule)
	c.setNext(contracts.SentinelModule, module)
	return address(module)
}

// setUpModule calls the setup contract, which says what module it is for.
func (c *call) setUpModule(setup common.Address, data []byte) (common.Address, error) {
	if setup == (common.Address{}) {
		return common.Address{}, reason("Wrong Module Setup Address")
	}
	result, err := c.call(setup, new(uint256.Int), data)
	if err != nil || len(result) < abi.WordSize {
		return common.Address{}, err
	}
	return common.BytesToAddress(result[:abi.WordSize]), nil
}

func reserved(module common.Address) bool {
	return module == (common.Address{}) || module == contracts.SentinelModule
}

// next is the module after another in the list; zero for one that is not enabled.
func (c *call) next(module common.Address) common.Address {
	return c.address(c.slot(nextModule, word(module)))
}

func (c *call) setNext(module, next common.Address) {
	c.setAddress(c.slot(nextModule, word(module)), next)
}

func enableModule(c *call, module common.Address) ([]byte, error) {
	switch {
	case reserved(module):
		return nil, custom("ModuleCannotBeZeroOrSentinel(address)", word(module))
	case c.next(module) != (common.Address{}):
		return nil, custom("ModuleAlreadyEnabled(address)", word(module))
	}
	c.setNext(module, c.next(contracts.SentinelModule))
	c.setNext(contracts.SentinelModule, module)
	c.emit("EnabledModule(address)", nil, word(module))
	return nothing()
}

func setupAndEnableModule(c *call, setup common.Address, data []byte) ([]byte, error) {
	if err := c.fromEntryPointOrSelf(); err != nil {
		return nil, err
	}
	module, err := c.setUpModule(setup, data)
	if err != nil {
		return nil, err
	}
	if _, err := enableModule(c, module); err != nil {
		return nil, err
	}
	return address(module)
}

func disableModule(c *call, prev, module common.Address) ([]byte, error) {
	if err := c.fromEntryPointOrSelf(); err != nil {
		return nil, err
	}
	switch after := c.next(prev); {
	case reserved(module):
		return nil, custom("ModuleCannotBeZeroOrSentinel(address)", word(module))
	case after != module:
		return nil, custom("ModuleAndPrevModuleMismatch(address,address,address)", word(module), word(after), word(prev))
	}
	c.setNext(prev, c.next(module))
	c.setNext(module, common.Address{})
	c.emit("DisabledModule(address)", nil, word(module))
	return nothing()
}

func isModuleEnabled(c *call, module common.Address) ([]byte, error) {
	return flag(c.enabled(c.self, module))
}

// enabled reports whether an account has a module.
func (m *Machine) enabled(account, module common.Address) bool {
	next := m.address(slot{at: account, name: nextModule, a: word(module)})
	return module != contracts.SentinelModule && next != (common.Address{})
}

func getModules(c *call, start common.Address, size uint256.Int) ([]byte, error) {
	if !size.LtUint64(1 << 20) {
		return nil, bare()
	}
	var page []common.Hash
	module := c.next(start)
	for !reserved(module) && uint64(len(page)) < size.Uint64() {
		page = append(page, word(module))
		module = c.next(module)
	}
	result := abiword.AppendUint64(nil, 2*abi.WordSize)
	return abiword.AppendHashes(abiword.AppendAddress(result, module), page), nil
}

func addDeposit(c *call) ([]byte, error) {
	return c.call(c.Addresses.EntryPoint, &c.value, contracts.DepositTo(c.self))
}

func withdrawDeposit(c *call, to common.Address, amount uint256.Int) ([]byte, error) {
	if err := c.fromEntryPointOrSelf(); err != nil {
		return nil, err
	}
	return c.call(c.Addresses.EntryPoint, new(uint256.Int), pack("withdrawTo(address,uint256)", word(to), numberWord(&amount)))
}

// unwrap reads a signature as the account does: abi.encode(bytes moduleSignature, address module).
func unwrap(signature []byte) (moduleSignature []byte, module common.Address, err error) {
	in := &input{data: signature}
	moduleSignature, module = in.bytes(0), in.address(1)
	if in.bad {
		err = bare()
	}
	return moduleSignature, module, err
}

func isValidSignature(c *call, hash common.Hash, signature []byte) ([]byte, error) {
	inner, module, err := unwrap(signature)
	if err != nil {
		return nil, err
	}
	if c.next(module) == (common.Address{}) {
		return nil, custom("WrongValidationModule(address)", word(module))
	}
	if !c.HasCode(module) {
		return nil, bare()
	}
	return c.call(module, new(uint256.Int), contracts.IsValidSignature(hash, inner))
}

const validateSignature = "validateUserOp(" + operationTuple + ",bytes32,uint256)"

// validateUserOp is the account's own, for who asks it what the EntryPoint would be told.
func validateUserOp(c *call, in *input) ([]byte, error) {
	op, hash, missing := readOperation(in.tuple(0)), in.head(1), in.number(2)
	if in.bad || op == nil {
		return nil, bare()
	}
	if c.from != c.Addresses.EntryPoint {
		return nil, custom("CallerIsNotAnEntryPoint(address)", word(c.from))
	}
	v, err := c.validate(op, hash, &missing)
	if err != nil {
		return nil, err
	}
	return flat([]common.Hash{v.word()}), nil
}

// validate asks the module that the signature names, and pays what the EntryPoint misses.
func (c *call) validate(op *userop.Operation, hash common.Hash, missing *uint256.Int) (validation, error) {
	_, module, err := unwrap(op.Signature)
	if err != nil {
		return validation{}, err
	}
	if c.next(module) == (common.Address{}) {
		return validation{}, custom("WrongValidationModule(address)", word(module))
	}
	judge, ok := c.authorizers[module]
	switch code := c.contractAt(module); {
	case code == nil:
		return validation{}, bare()
	case !ok:
		return validation{}, &Unknown{To: module, Data: pack("validateUserOp(" + operationTuple + ",bytes32)"), Contract: code.name}
	}
	v, err := judge(&call{Machine: c.Machine, from: c.self, self: module}, op, hash)
	if err == nil && !missing.IsZero() {
		_, _ = c.call(c.Addresses.EntryPoint, missing, nil) // the EntryPoint sees whether it was paid
	}
	return v, err
}

// at is a call of an account by the EntryPoint.
func (m *Machine) at(account common.Address) *call {
	return &call{Machine: m, from: m.Addresses.EntryPoint, self: account}
}
