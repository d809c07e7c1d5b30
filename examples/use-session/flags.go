package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/account/accounttest"
)

// options are the command line: which services, which session, which call.
type options struct {
	rpc, bundler, paymaster, store string
	nft                            common.Address // of the story
	account                        common.Address
	call                           account.Call
	leaf                           int
	check                          bool
	model                          bool // play the story on the model
	others                         bool // flags are set that are not the story's
}

// story reports whether the command line asks for the whole story.
func (o *options) story() bool { return !o.others }

// services are where the story plays.
func (o *options) services() accounttest.Services {
	return accounttest.Services{RPC: o.rpc, Bundler: o.bundler, Paymaster: o.paymaster}
}

const usage = `Use-session acts for a user's smart account with a session key.

  use-session [-model | -rpc URL -bundler URL -paymaster URL [-nft ADDR]]
        runs the whole story, on a chain in its own process, on a model of one, or on the one that is named

  use-session -rpc URL -bundler URL [-paymaster URL] -store DIR -account ADDR \
        -to ADDR -call 'safeMint(address)' -args 'ADDR' [-value WEI] [-leaf N] [-check=false]
        sends one call with a stored session; exit status 1 if it fails

`

func parse(args []string, stderr io.Writer) (*options, error) {
	var o options
	var accountText, to, signature, arguments, value string
	set := flag.NewFlagSet("use-session", flag.ContinueOnError)
	set.StringVar(&o.rpc, "rpc", "", "`URL` of a node of the account's chain")
	set.StringVar(&o.bundler, "bundler", "", "`URL` of the bundler")
	set.StringVar(&o.paymaster, "paymaster", "", "`URL` of the paymaster; without one the account pays for its gas")
	set.TextVar(&o.nft, "nft", accounttest.WellKnownContracts().NFT, "`address` of the story's contract, which has safeMint(address)")
	set.BoolVar(&o.model, "model", false, "run the story on a model without the contracts, which needs neither node nor npm")
	set.StringVar(&o.store, "store", "", "`directory` of the TypeScript SDK's session files, <account>_sessions.json and <account>_signers.json")
	set.StringVar(&accountText, "account", "", "`address` of the user's smart account")
	set.StringVar(&to, "to", "", "`address` of the contract to call")
	set.StringVar(&signature, "call", "", "the `function` to call, such as 'safeMint(address)'; none sends value alone")
	set.StringVar(&arguments, "args", "", "the function's `arguments`, separated by commas; arrays and tuples in brackets")
	set.StringVar(&value, "value", "0", "`wei` to send along")
	set.IntVar(&o.leaf, "leaf", 0, "`position` of the session leaf in the store, from 0")
	set.BoolVar(&o.check, "check", true, "judge the call by the session before sending; without it, the chain does")
	if err := parseFlags(set, args, stderr); err != nil {
		return nil, err
	}
	set.Visit(func(f *flag.Flag) {
		o.others = o.others || !slices.Contains([]string{"model", "rpc", "bundler", "paymaster", "nft"}, f.Name)
	})
	if o.model && (o.others || o.services() != accounttest.Services{}) {
		return nil, errors.New("-model runs the story without services; leave the other flags out")
	}
	if o.story() {
		return &o, nil
	}
	if err := requireFlags(map[string]string{"-rpc": o.rpc, "-bundler": o.bundler, "-store": o.store, "-account": accountText, "-to": to}); err != nil {
		return nil, err
	}
	return &o, errors.Join(
		readAddress("account", accountText, &o.account),
		o.readCall(to, signature, arguments, value),
	)
}

// parseFlags parses the command line, all of which is flags. It prints usage and the flags if they ask for
// it, and returns [flag.ErrHelp]; what is wrong is returned, and not printed.
func parseFlags(set *flag.FlagSet, args []string, stderr io.Writer) error {
	set.SetOutput(io.Discard)
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stderr, usage)
		set.SetOutput(stderr)
		set.PrintDefaults()
		return err
	case err != nil:
		return fmt.Errorf("%w; -h explains the flags", err)
	case set.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; -h explains the flags", set.Arg(0))
	}
	return nil
}

// requireFlags returns an error that names the flags without a value.
func requireFlags(flags map[string]string) error {
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		if flags[name] == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("missing %s; -h explains the flags", strings.Join(missing, ", "))
	}
	return nil
}

func readAddress(name, text string, to *common.Address) error {
	if !common.IsHexAddress(text) {
		return fmt.Errorf("-%s: %q is not an address", name, text)
	}
	*to = common.HexToAddress(text)
	return nil
}

func (o *options) readCall(to, signature, arguments, value string) error {
	if err := readAddress("to", to, &o.call.To); err != nil {
		return err
	}
	wei, err := uint256.FromDecimal(value)
	if err != nil {
		return fmt.Errorf("-value: %q is not an amount of wei", value)
	}
	o.call.Value = *wei
	if signature == "" {
		if arguments != "" {
			return errors.New("-args without -call")
		}
		return nil
	}
	o.call.Data, err = packText(signature, arguments)
	return err
}

func packText(signature, arguments string) ([]byte, error) {
	function, err := abi.ParseFunction(signature)
	if err != nil {
		return nil, fmt.Errorf("-call: %w", err)
	}
	args, err := function.SplitArgs(arguments)
	if err != nil {
		return nil, fmt.Errorf("-args: %w", err)
	}
	data, err := function.PackText(args...)
	if err != nil {
		return nil, fmt.Errorf("-args: %w", err)
	}
	return data, nil
}
