package policy_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/session/policy"
)

var (
	exampleKey   = common.HexToAddress("0xf7cD08C9e7eE5804A77f08e4039481eAa7c23c38")
	exampleShop  = common.HexToAddress("0x9F0685Bd516F66Fd00dC05a7aC9D5B89c2CC31f9")
	exampleBuyer = common.HexToAddress("0x7fDC20bDBf529C71FDceAfaC3Eed18C1843768c1")
	exampleEnd   = time.Date(2026, time.December, 1, 0, 0, 0, 0, time.UTC)
)

func examplePolicy() policy.ABI {
	return policy.ABI{
		Key:      exampleKey,
		Contract: exampleShop,
		Function: "buy(address to, uint256 amount)",
		Rules: []policy.Rule{
			policy.Arg("to", policy.Equal, exampleBuyer),
			policy.Arg("amount", policy.LessThanOrEqual, 100),
		},
		ValueLimit: *uint256.NewInt(1e15),
		Window:     policy.Until(exampleEnd),
	}
}

func ExampleABI() {
	p := policy.ABI{
		Key:      exampleKey,
		Contract: exampleShop,
		Function: "safeMint(address to)",
		Rules:    []policy.Rule{policy.Arg("to", policy.Equal, exampleBuyer)},
		Window:   policy.Until(exampleEnd),
	}
	compiled, err := p.Compile(policy.Modules{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%x\n", compiled.Data)

	p.Function = "mint(uint8 amount)"
	p.Rules = []policy.Rule{policy.Arg("amount", policy.LessThanOrEqual, 300)}
	_, err = p.Compile(policy.Modules{})
	fmt.Println(err)
	// Output:
	// f7cd08c9e7ee5804a77f08e4039481eaa7c23c389f0685bd516f66fd00dc05a7ac9d5b89c2cc31f940d097c30000000000000000000000000000000000010000000000000000000000000000007fdc20bdbf529c71fdceafac3eed18c1843768c1
	// invalid input: rule 0: argument amount: 300 does not fit uint8
}

func ExampleCompiled_Describe() {
	compiled, err := examplePolicy().Compile(policy.Modules{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(compiled.Describe(policy.Modules{}))

	compiled.Function = "" // as in a store of another SDK: names come from the functions one knows
	fmt.Println(compiled.Describe(policy.Modules{}, abi.MustParseFunction("buy(address,uint256)")))
	// Output:
	// may call buy(address,uint256) on 0x9F0685Bd516F66Fd00dC05a7aC9D5B89c2CC31f9 with to = 0x7fDC20bDBf529C71FDceAfaC3Eed18C1843768c1 and amount ≤ 100, up to 1000000000000000 wei, until 2026-12-01T00:00:00Z
	// may call buy(address,uint256) on 0x9F0685Bd516F66Fd00dC05a7aC9D5B89c2CC31f9 with arg0 = 0x7fDC20bDBf529C71FDceAfaC3Eed18C1843768c1 and arg1 ≤ 100, up to 1000000000000000 wei, until 2026-12-01T00:00:00Z
}

func ExampleLint() {
	p := policy.ABI{
		Key:      exampleKey,
		Contract: exampleShop,
		Function: "approve(address spender, uint256 amount)",
		Window:   policy.Forever(),
	}
	compiled, err := p.Compile(policy.Modules{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, finding := range policy.Lint(policy.LintConfig{}, &compiled) {
		fmt.Println(finding)
	}
	// Output:
	// leaf 0: warning: it never ends; only a new root revokes it (no-end)
	// leaf 0: danger: approve(address,uint256) lets the spender take tokens at any later time, and no rule says that spender = one address (open-recipient)
	// leaf 0: warning: it has no rules: all arguments are allowed (no-rules)
}

func ExampleCheckCall() {
	compiled, err := examplePolicy().Compile(policy.Modules{})
	if err != nil {
		fmt.Println(err)
		return
	}
	data, err := abi.Pack("buy(address to, uint256 amount)", exampleBuyer, 500)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = policy.CheckCall(policy.Modules{}, &compiled, abi.Call{To: exampleShop, Data: data})
	fmt.Println(err)

	var violation *policy.Violation
	if errors.As(err, &violation) {
		fmt.Println(violation.Arg, violation.Got, violation.Condition, violation.Want)
	}
	// Output:
	// session leaf: rule 1 (amount): 500 must be ≤ 100 (the contract would say: ABISV Arg Rule Violated)
	// amount 500 ≤ 100
}

// A token transfer may be judged by a module of its own. It does not look at which function is called, which
// Lint says; an ABI policy does.
func ExampleERC20() {
	p := policy.ERC20{
		Key:       common.HexToAddress("0x1111111111111111111111111111111111111111"),
		Token:     common.HexToAddress("0x2222222222222222222222222222222222222222"),
		Recipient: common.HexToAddress("0x3333333333333333333333333333333333333333"),
		MaxAmount: *uint256.NewInt(100),
		Window:    policy.Until(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)),
	}
	compiled, err := p.Compile(policy.Modules{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(compiled.Describe(policy.Modules{}))
	// Output: may call any function on 0x2222222222222222222222222222222222222222 with first argument = 0x3333333333333333333333333333333333333333 and second ≤ 100, no value, until 2100-01-01T00:00:00Z
}
