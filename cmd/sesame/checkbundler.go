package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/bundler"
	"github.com/go-sesame/sesame/userop"
)

// nobody is an account that does not exist, and noOperation a hash that no operation has.
func nobody() common.Address {
	return common.BytesToAddress(crypto.Keccak256([]byte("sesame check-services")))
}

func noOperation() common.Hash { return crypto.Keccak256Hash([]byte("sesame check-services")) }

// probe is the operation of nobody that services are asked about.
func probe() *userop.Operation {
	return &userop.Operation{
		Sender: nobody(), CallData: []byte{}, CallGasLimit: *uint256.NewInt(100_000), VerificationGasLimit: *uint256.NewInt(150_000),
		PreVerificationGas: *uint256.NewInt(60_000), MaxFeePerGas: *uint256.NewInt(1_000_000_000), MaxPriorityFeePerGas: *uint256.NewInt(1_000_000_000),
		Signature: make([]byte, 65),
	}
}

// checkBundler asks a bundler for what the library needs of one, and for what it can use.
func checkBundler(ctx context.Context, url string, chain uint64) *serviceJSON {
	client := bundler.New(url)
	defer client.Close()
	said := newService("bundler", hostOf(url))
	known := said.ask(ctx, "chain", func(ctx context.Context) (_ string, err error) {
		said.ChainID, err = client.ChainID(ctx)
		return fmt.Sprint(said.ChainID), err
	})
	if !known {
		return said
	}
	if chain == 0 {
		chain = said.ChainID
	}
	entryPoint := account.DefaultContracts(chain).EntryPoint
	fits := said.ask(ctx, "EntryPoint v0.6", func(ctx context.Context) (string, error) { return supports(ctx, client, entryPoint) })
	fits = said.ask(ctx, "estimates", func(ctx context.Context) (string, error) {
		_, err := client.EstimateUserOperationGas(ctx, probe(), entryPoint, nil)
		return refusal(err)
	}) && fits
	receipts := said.ask(ctx, "receipts", func(ctx context.Context) (string, error) {
		_, err := client.UserOperationReceipt(ctx, noOperation())
		if errors.Is(err, userop.ErrNotFound) {
			return "an unknown operation is told as such", nil
		}
		return "", orUnexpected(err)
	})
	said.optional(ctx, client)
	if fits && receipts {
		said.fits("sending operations of EntryPoint v0.6")
	}
	return said
}

func orUnexpected(err error) error {
	if err == nil {
		return errors.New("it has a receipt for an operation that nobody made")
	}
	return err
}

func supports(ctx context.Context, client *bundler.Client, entryPoint common.Address) (string, error) {
	list, err := client.SupportedEntryPoints(ctx)
	if err != nil {
		return "", err
	}
	if !slices.Contains(list, entryPoint) {
		return "", fmt.Errorf("%w: it takes operations for %s, not for %s", userop.ErrWrongChain, list, entryPoint)
	}
	return fmt.Sprintf("%s, of %d", entryPoint, len(list)), nil
}

// refusal says whether a service has a method: it refuses the probe then, or does what it is asked for.
func refusal(err error) (string, error) {
	if answer, ok := errors.AsType[*bundler.Error](err); ok && !errors.Is(err, bundler.ErrMethodNotFound) && !answer.AccessDenied() && !answer.Temporary() {
		return "it judges operations", nil
	}
	if err != nil {
		return "", err
	}
	return "it answers", nil
}

// optional asks for what a bundler can do without.
func (s *serviceJSON) optional(ctx context.Context, client *bundler.Client) {
	ctx, cancel := context.WithTimeout(ctx, oneCheck)
	defer cancel()
	fees, err := client.Fees(ctx)
	switch {
	case err == nil:
		s.add("fees", checkOK, "%s a gas, tip %s", gwei(fees.MaxFeePerGas.Dec()), gwei(fees.MaxPriorityFeePerGas.Dec()))
	case !errors.Is(err, userop.ErrNoFees):
		s.add("fees", checkFailed, "%v", err)
	default:
		s.tip(ctx, client)
	}
	_, err = client.UserOperationStatus(ctx, noOperation())
	s.option("status", "it tells an operation that it gave up", "a wait learns by the chain what became of an operation", err, bundler.ErrNoStatus)
	_, err = client.UserOperationReceipts(ctx, []common.Hash{noOperation(), crypto.Keccak256Hash(nobody().Bytes())})
	s.option("batches", "many waits share a request", "each wait asks by itself", err, userop.ErrNoBatch)
}

func (s *serviceJSON) tip(ctx context.Context, client *bundler.Client) {
	tip, err := client.MaxPriorityFeePerGas(ctx)
	if err != nil {
		s.add("fees", checkMissing, "none of its own: those of the node are taken")
		return
	}
	s.add("fees", checkOK, "tip %s; the rest is the node's", gwei(tip.Dec()))
}

// option adds a check of what may be missing.
func (s *serviceJSON) option(name, has, lacks string, err, lacking error) {
	switch {
	case err == nil:
		s.add(name, checkOK, "%s", has)
	case errors.Is(err, lacking):
		s.add(name, checkMissing, "%s", lacks)
	default:
		s.add(name, checkFailed, "%v", err)
	}
}
