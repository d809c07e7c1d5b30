package main

import (
	"context"
	"errors"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
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
	_, quoted := vendor.FeeQuotes(ctx, probe(), userop.QuoteRequest{})
	var stubbed error
	if chain != 0 {
		_, stubbed = standard.StubData(ctx, probe(), account.DefaultContracts(chain).EntryPoint, chain)
	}
	// One of both suffices: what the other says is trouble only where that is missing.
	one := said.offers("Biconomy's methods", "sponsoring with paymaster.New", quoted)
	if chain == 0 {
		said.add("ERC-7677", checkMissing, "not asked: name -chain, -node or -bundler for it")
	} else {
		one = said.offers("ERC-7677", "sponsoring with paymaster.NewERC7677", stubbed) || one
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

// offers adds whether a service has methods, by how it answered.
func (s *serviceJSON) offers(name, fit string, err error) bool {
	answer, answered := errors.AsType[*paymaster.Error](err)
	switch {
	case err == nil:
		s.add(name, checkOK, "it answers")
	case answered && lacksMethod(answer), !answered, answer.AccessDenied(), answer.Temporary():
		s.add(name, checkFailed, "%v", err)
		return false
	default:
		s.add(name, checkOK, "it judges operations: %v", err)
	}
	s.fits(fit)
	return true
}

// lacksMethod judges the answer as that of a bundler, whose words for it are the same.
func lacksMethod(answer *paymaster.Error) bool {
	return errors.Is(&bundler.Error{Method: answer.Method, Code: answer.Code, Message: answer.Message, HTTPStatus: answer.HTTPStatus}, bundler.ErrMethodNotFound)
}
