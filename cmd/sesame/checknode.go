package main

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum"
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
	ctx, cancel := context.WithTimeout(ctx, oneCheck)
	defer cancel()
	list, err := account.DefaultContracts(s.ChainID).Deployed(ctx, node)
	if err != nil {
		s.add("contracts", checkFailed, "%v", keyless(err))
		return false
	}
	complete := true
	for _, contract := range list {
		switch {
		case contract.Deployed:
			s.add(contract.Name, checkOK, "%s", contract.Address)
		case contract.Required:
			complete = false
			s.add(contract.Name, checkFailed, "%v at %s on chain %d", account.ErrNoContract, contract.Address, s.ChainID)
		default:
			s.add(contract.Name, checkMissing, "%v at %s", account.ErrNoContract, contract.Address)
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
