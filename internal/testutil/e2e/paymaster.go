package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/go-sesame/sesame/account/accounttest"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/kit"
	"github.com/go-sesame/sesame/internal/localhttp"
	"github.com/go-sesame/sesame/internal/quantity"
	"github.com/go-sesame/sesame/userop"
)

// validity is how long a sponsorship lasts.
const validity = time.Hour

// Paymaster is the service of the verifying paymaster on a node, by the methods of ERC-7677: it sponsors
// whatever it is asked to.
type Paymaster struct {
	URL string

	rpc  *rpc.Server
	http *localhttp.Server
}

// StartPaymaster starts the service and funds what pays; the caller closes it.
func StartPaymaster(ctx context.Context, anvil *Anvil) (*Paymaster, error) {
	at := accounttest.WellKnownContracts()
	if err := anvil.Transact(ctx, at.Paymaster, ether(1000), contracts.DepositFor(kit.DefaultPaymasterID())); err != nil {
		return nil, fmt.Errorf("deposit at the paymaster: %w", err)
	}
	p := &Paymaster{rpc: rpc.NewServer()}
	if err := p.rpc.RegisterName("pm", new(paymasterAPI)); err != nil {
		return nil, err
	}
	var err error
	if p.http, err = localhttp.Serve(p.rpc, 0); err != nil {
		return nil, err
	}
	p.URL = p.http.URL
	return p, nil
}

// Close ends the service.
func (p *Paymaster) Close() error {
	err := p.http.Shutdown()
	p.rpc.Stop()
	return err
}

// paymasterAPI has the methods of namespace pm.
type paymasterAPI struct{}

// GetPaymasterStubData is pm_getPaymasterStubData.
func (*paymasterAPI) GetPaymasterStubData(_ context.Context, _ kit.DraftOperation, _ common.Address, _ quantity.Quantity, _ *json.RawMessage) (*kit.StubData, error) {
	stub := kit.StubSponsorData(kit.DefaultPaymasterID())
	return &kit.StubData{PaymasterAndData: stub.Pack(), IsFinal: new(bool)}, nil
}

// GetPaymasterData is pm_getPaymasterData.
func (*paymasterAPI) GetPaymasterData(_ context.Context, op userop.Operation, _ common.Address, _ quantity.Quantity, _ *json.RawMessage) (*kit.StubData, error) {
	data := contracts.VerifyingPaymasterData{
		Paymaster:   accounttest.WellKnownContracts().Paymaster,
		PaymasterID: kit.DefaultPaymasterID(),
		ValidUntil:  uint64(time.Now().Add(validity).Unix()),
	}
	hash := kit.SponsorHash(&op, &data, chainID)
	var err error
	if data.Signature, err = crypto.Sign(accounts.TextHash(hash[:]), accounttest.PaymasterSigner()); err != nil {
		return nil, err
	}
	data.Signature[crypto.RecoveryIDOffset] += 27
	return &kit.StubData{PaymasterAndData: data.Pack()}, nil
}
