package main

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/ethnode"
)

// staleAfter is how old the newest block of a node may be: chains of rollups may have none for minutes.
const staleAfter = 10 * time.Minute

// checkNode asks a node what account.Config.Chain is needed for.
func checkNode(ctx context.Context, c *call, url string) *serviceJSON {
	said := newService("node", hostOf(url))
	node, hangUp, err := c.dial.node(url)
	if err != nil {
		said.add("URL", checkFailed, "%v", err)
		return said
	}
	defer hangUp()
	if !said.ask(ctx, "chain", func(ctx context.Context) (string, error) {
		said.ChainID, err = chainID(ctx, node)
		return fmt.Sprint(said.ChainID), err
	}) {
		return said
	}
	var head *types.Header
	recent := said.ask(ctx, "newest block", func(ctx context.Context) (detail string, err error) {
		head, detail, err = newestBlock(ctx, node, c.now())
		return detail, err
	})
	read := said.contracts(ctx, node) && recent
	logs := said.ask(ctx, "logs", func(ctx context.Context) (string, error) { return "of the newest block", readLogs(ctx, node, head) })
	fees := said.ask(ctx, "fees", func(ctx context.Context) (string, error) { return nodeFees(ctx, node, head) })
	if read {
		said.fits("reading accounts and sessions")
	}
	if read && logs {
		said.fits("confirming operations")
	}
	if fees {
		said.fits("proposing fees")
	}
	return said
}

func newestBlock(ctx context.Context, node ethnode.Node, now time.Time) (*types.Header, string, error) {
	head, err := node.HeaderByNumber(ctx, nil)
	if err != nil {
		return nil, "", err
	}
	age := now.Sub(time.Unix(int64(head.Time), 0)).Truncate(time.Second)
	if age > staleAfter {
		return head, "", fmt.Errorf("%s is %s old: the node is behind, or the chain stands still", head.Number, age)
	}
	return head, fmt.Sprintf("%s, %s old", head.Number, max(age, 0)), nil
}

// contracts looks for the contracts that accounts need; it reports whether those are there without which none
// works.
func (s *serviceJSON) contracts(ctx context.Context, node ethnode.Node) bool {
	known, complete := account.DefaultContracts(s.ChainID), true
	for _, contract := range []struct {
		name     string
		address  common.Address
		required bool
	}{
		{"EntryPoint v0.6", known.EntryPoint, true},
		{"account factory", known.Factory, true},
		{"account implementation", known.Implementation, true},
		{"ECDSA module", known.ECDSA, true},
		{"session key manager", known.Session.Manager, true},
		{"ABI session module", known.Session.ABI, true},
		{"ERC-20 session module", known.Session.ERC20, false},
		{"batched session router", known.Session.Router, false},
		{"multichain module", known.Multichain, false},
		{"token paymaster", known.TokenPaymaster, false},
	} {
		asking, cancel := context.WithTimeout(ctx, oneCheck)
		code, err := node.CodeAt(asking, contract.address, nil)
		cancel()
		switch {
		case err != nil:
			s.add(contract.name, checkFailed, "%v", keyless(err))
			return false
		case len(code) > 0:
			s.add(contract.name, checkOK, "%s", contract.address)
		case contract.required:
			complete = false
			s.add(contract.name, checkFailed, "there is no contract at %s on chain %d", contract.address, s.ChainID)
		default:
			s.add(contract.name, checkMissing, "there is no contract at %s", contract.address)
		}
	}
	return complete
}

func readLogs(ctx context.Context, node ethnode.Node, head *types.Header) error {
	number, err := node.BlockNumber(ctx)
	if err != nil {
		return err
	}
	if head != nil && head.Number.IsUint64() {
		number = min(number, head.Number.Uint64())
	}
	block := new(big.Int).SetUint64(number)
	_, err = node.FilterLogs(ctx, ethereum.FilterQuery{FromBlock: block, ToBlock: block})
	return err
}

// nodeFees says what the node proposes. A chain without a base fee has a gas price alone.
func nodeFees(ctx context.Context, node ethnode.Node, head *types.Header) (string, error) {
	if head == nil || head.BaseFee == nil {
		price, err := node.SuggestGasPrice(ctx)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s a gas; the chain has no base fee", gwei(price.String())), nil
	}
	tip, err := node.SuggestGasTipCap(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("base fee %s, tip %s", gwei(head.BaseFee.String()), gwei(tip.String())), nil
}
