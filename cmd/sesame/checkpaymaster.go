package main

import (
	"context"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/userop"
)

// checkPaymaster asks a paymaster which methods it has: what it would take in tokens, and what stands in for
// a sponsorship while gas is estimated. Neither sponsors anything.
func checkPaymaster(ctx context.Context, url string, chain uint64) *serviceJSON {
	said := newService("paymaster", hostOf(url))
	vendor, standard := paymaster.New(url), paymaster.NewERC7677(url, nil)
	defer vendor.Close()
	defer standard.Close()
	ctx, cancel := context.WithTimeout(ctx, oneCheck)
	defer cancel()
	// One of both suffices: what the other says is trouble only where that is missing.
	one := said.offers(ctx, "Biconomy's methods", "sponsoring with paymaster.New", vendor, chain)
	if chain == 0 {
		said.add("ERC-7677", checkMissing, "not asked: name -chain, -node or -bundler for it")
	} else {
		one = said.offers(ctx, "ERC-7677", "sponsoring with paymaster.NewERC7677", standard, chain) || one
	}
	if one {
		for i := range said.Checks {
			if said.Checks[i].Result == checkFailed {
				said.Checks[i].Result = checkMissing
			}
		}
	}
	return said
}

// offers adds whether a service has the methods that a client of it asks for.
func (s *serviceJSON) offers(ctx context.Context, name, fit string, client userop.Checker, chain uint64) bool {
	said, err := client.Check(ctx, chain, account.DefaultContracts(chain).EntryPoint)
	switch {
	case err != nil:
		s.add(name, checkFailed, "%v", err)
		return false
	case said == "":
		s.add(name, checkOK, "it answers")
	default:
		s.add(name, checkOK, "it judges operations: %s", said)
	}
	s.fits(fit)
	return true
}
