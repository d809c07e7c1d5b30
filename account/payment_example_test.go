package account_test

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
)

func ExamplePayWith() {
	w := exampleWorld()
	token := w.chain.Contracts.Token6

	// The account is not deployed, and has no ether: 100 tokens are all it has.
	give, err := abi.Pack("function mint(address to, uint256 amount)", w.owner.Address(), 100_000_000)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := w.chain.SendTx(w.ctx, token, nil, give); err != nil {
		fmt.Println(err)
		return
	}

	mint, err := abi.Pack("function safeMint(address to)", w.owner.Address())
	if err != nil {
		fmt.Println(err)
		return
	}
	calls := []account.Call{{To: w.chain.Contracts.NFT, Data: mint}}
	quotes, err := w.owner.FeeQuotes(w.ctx, calls, []common.Address{token}, account.ApproveExact())
	if err != nil {
		fmt.Println(err)
		return
	}
	quote, ok := quotes.For(token)
	if !ok {
		fmt.Println("the paymaster does not take this token")
		return
	}
	tx, err := w.owner.Send(w.ctx, calls, account.PayWith(quote), account.ApproveExact())
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := tx.Wait(w.ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fee, paid := w.client.TokenFee(receipt)
	fmt.Println("paid in", quote.Symbol, "to", receipt.Paymaster, paid)
	fmt.Println("at most what was quoted:", !fee.Amount.Gt(&quote.MaxFee))
	// Output:
	// paid in DEMO6 to 0x00000f7365cA6C59A2C93719ad53d567ed49c14C true
	// at most what was quoted: true
}

func ExampleOwnedAccount_FeeQuotes() {
	w := exampleWorld()
	mint, err := abi.Pack("function safeMint(address to)", w.owner.Address())
	if err != nil {
		fmt.Println(err)
		return
	}
	quotes, err := w.owner.FeeQuotes(w.ctx, []account.Call{{To: w.chain.Contracts.NFT, Data: mint}}, nil) // in all tokens
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, quote := range quotes.Quotes {
		fmt.Println(quote.Symbol, "with", quote.Decimals, "decimals, and a premium of", quote.PremiumPercent, "percent")
	}
	// Output:
	// DEMO with 18 decimals, and a premium of 10 percent
	// DEMO6 with 6 decimals, and a premium of 10 percent
	// RESET with 6 decimals, and a premium of 10 percent
}
