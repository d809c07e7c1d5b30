// Devnet runs a chain with the real contracts, a bundler and a paymaster on 127.0.0.1 until it is
// interrupted. The other examples run on it with the flags that it prints. At its first start it compiles the
// contracts, which needs node and npm, and says so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
)

func main() {
	var cfg accounttest.DevnetConfig
	flag.IntVar(&cfg.Port, "port", 8545, "`port` of the node; bundler and paymaster have the two that follow; 0 takes free ones")
	flag.Uint64Var(&cfg.ChainID, "chain", accounttest.DefaultChainID, "`ID` of the chain")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "error: unexpected argument %q; -h explains the flags\n", flag.Arg(0))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, os.Stderr, cfg); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out, stderr io.Writer, cfg accounttest.DevnetConfig) (err error) {
	if err := accounttest.InstallContracts(ctx, stderr); err != nil {
		return err
	}
	devnet, err := accounttest.StartDevnet(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, devnet.Close()) }()
	owner, contracts := devnet.Client.OwnedAccount(account.KeyOwner(devnet.Owner)), devnet.Chain.Contracts
	fmt.Fprintf(out, `Chain %d runs until it is interrupted. Other examples run on it with
  -rpc %s -bundler %s -paymaster %s

  owner            %s, whose key is accounttest.Key("devnet owner")
  account          %s, not deployed yet; both have 100 ether
  EntryPoint       %s
  NFT              %s
  token            %s, of 18 decimals
  token            %s, of 6 decimals
  target           %s
`, devnet.Chain.ChainID(), devnet.RPC, devnet.Services.Bundler, devnet.Services.Paymaster, owner.Owner().Address(), owner.Address(),
		contracts.EntryPoint, contracts.NFT, contracts.Token, contracts.Token6, contracts.Target)
	<-ctx.Done()
	return nil
}
