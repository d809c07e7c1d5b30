package main

import (
	"context"
	"errors"

	"github.com/ethereum/go-ethereum/common"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
)

const devnetAbout = `Runs a chain with the real contracts, a bundler and a paymaster on 127.0.0.1 until it is interrupted, and
prints how other programs use it. At its first start it compiles the contracts, which needs node and npm, and
says so. Everybody knows its keys: put nothing of worth on them, on any chain.
`

func devnetCommand() command {
	return command{
		name: "devnet", summary: "run a chain with a bundler and a paymaster on this machine", about: devnetAbout,
		define: func(f *flags) action {
			var cfg accounttest.DevnetConfig
			f.IntVar(&cfg.Port, "port", 8545, "`port` of the node; bundler and paymaster have the two that follow; 0 takes free ones")
			f.Uint64Var(&cfg.ChainID, "chain", accounttest.DefaultChainID, "`ID` of the chain")
			f.lasts(0)
			return func(ctx context.Context, c *call) error { return runDevnet(ctx, c, cfg) }
		},
	}
}

// devnetJSON is how a devnet is used.
type devnetJSON struct {
	ChainID   uint64                    `json:"chainID"`
	Node      string                    `json:"node"`
	Bundler   string                    `json:"bundler"`
	Paymaster string                    `json:"paymaster"`
	Owner     common.Address            `json:"owner"`
	Account   common.Address            `json:"account"`
	Contracts map[string]common.Address `json:"contracts"`
}

func runDevnet(ctx context.Context, c *call, cfg accounttest.DevnetConfig) (err error) {
	if cfg.Port < 0 || cfg.Port > 65533 {
		return usagef("-port: %d is none; it is 0, or up to 65533", cfg.Port)
	}
	if err := accounttest.InstallContracts(ctx, noteWriter{c.note}); err != nil {
		return err
	}
	devnet, err := accounttest.StartDevnet(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, devnet.Close()) }()
	owner, contracts := devnet.Client.OwnedAccount(account.KeyOwner(devnet.Owner)), devnet.Chain.Contracts
	said := devnetJSON{
		ChainID: devnet.Chain.ChainID(), Node: devnet.RPC, Bundler: devnet.Services.Bundler, Paymaster: devnet.Services.Paymaster,
		Owner: owner.Owner().Address(), Account: owner.Address(),
		Contracts: map[string]common.Address{
			"entryPoint": contracts.EntryPoint, "nft": contracts.NFT, "token": contracts.Token, "token6": contracts.Token6, "target": contracts.Target,
		},
	}
	if c.json {
		err = c.out.value(said)
	} else {
		said.print(c.out)
	}
	if err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func (d *devnetJSON) print(p *printer) {
	p.line("Chain %d runs until it is interrupted. Commands run on it with", d.ChainID)
	p.line("  -node %s -bundler %s -paymaster %s", d.Node, d.Bundler, d.Paymaster)
	p.line("and the examples with -rpc in place of -node.")
	p.write("\n")
	t := new(table)
	t.row("owner", d.Owner, `whose key is accounttest.Key("devnet owner")`)
	t.row("account", d.Account, "not deployed yet; both have 100 ether")
	t.row("EntryPoint", d.Contracts["entryPoint"], "")
	t.row("NFT", d.Contracts["nft"], "safeMint(address) for everybody")
	t.row("token", d.Contracts["token"], "of 18 decimals, mint(address,uint256) for everybody")
	t.row("token", d.Contracts["token6"], "the same of 6 decimals")
	t.row("target", d.Contracts["target"], "fails in each of the ways a call can")
	p.table(2, t)
}

// noteWriter writes what others print to a printer.
type noteWriter struct{ to *printer }

func (w noteWriter) Write(text []byte) (int, error) {
	w.to.write(multiline(w.to, string(text)))
	return len(text), w.to.err
}
