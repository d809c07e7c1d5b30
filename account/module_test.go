package account_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// sendOwned sends calls as the owner and waits for the receipt.
func sendOwned(t *testing.T, owner *account.OwnedAccount, calls []account.Call, opts ...account.Option) (*userop.Receipt, error) {
	t.Helper()
	tx, err := owner.Send(t.Context(), calls, append(opts, account.Sponsored())...)
	if err != nil {
		return nil, err
	}
	return tx.Wait(t.Context())
}

func TestEachOwnershipModuleAsDefault(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	byECDSA := w.client.OwnedAccount(account.KeyOwner(w.ownerKey), account.Index(7))
	byMultichain := w.client.OwnedAccount(account.KeyOwner(w.ownerKey), account.Multichain())
	require.NotEqual(t, byECDSA.Address(), byMultichain.Address(), "the module decides the address")
	same := w.client.OwnedAccount(account.KeyOwner(w.ownerKey), account.DefaultModule(w.client.MultichainModule(account.KeyOwner(w.ownerKey))))
	require.Equal(t, byMultichain.Address(), same.Address())

	for _, owner := range []*account.OwnedAccount{byECDSA, byMultichain} {
		require.NoError(t, owner.CheckAddress(t.Context()))
		for range 2 { // deployed with the first
			_, err := sendOwned(t, owner, []account.Call{w.mint(t, owner.Address())})
			require.NoError(t, err)
		}
		require.Equal(t, uint64(2), w.balance(t, w.chain.Contracts.NFT, owner.Address()))
		enabled, err := owner.IsModuleEnabled(t.Context(), owner.Module().Address)
		require.NoError(t, err)
		require.True(t, enabled)
	}
}

func TestActiveModule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := account.KeyOwner(w.ownerKey)
	multichain := w.client.MultichainModule(owner)
	acting := w.client.OwnedAccount(owner, account.ActiveModule(multichain))
	require.Equal(t, w.owner.Address(), acting.Address(), "the active module does not decide the address")
	require.Equal(t, multichain.Address, acting.Module().Address)

	// The operation that deploys the account goes through the default module, and enables the active one.
	enable := account.Call{To: acting.Address(), Data: contracts.SetupAndEnableModule(multichain.Address, multichain.Setup)}
	tx, err := acting.Send(t.Context(), []account.Call{enable}, account.Sponsored())
	require.NoError(t, err)
	requireModule(t, tx.Operation(), w.client.Contracts().ECDSA)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)

	tx, err = acting.Send(t.Context(), []account.Call{w.mint(t, acting.Address())}, account.Sponsored())
	require.NoError(t, err)
	requireModule(t, tx.Operation(), multichain.Address)
	_, err = tx.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(1), w.nfts(t))
}

// requireModule checks for which module an operation was signed: abi.encode(bytes, address).
func requireModule(t *testing.T, op *userop.Operation, module common.Address) {
	t.Helper()
	require.Equal(t, module, common.BytesToAddress(op.Signature[32:64]))
}

func TestActiveModuleThatIsNotEnabledIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := sendOwned(t, w.owner, []account.Call{w.mint(t, w.owner.Address())})
	require.NoError(t, err)
	owner := account.KeyOwner(w.ownerKey)
	acting := w.client.OwnedAccount(owner, account.ActiveModule(w.client.MultichainModule(owner)))
	_, err = sendOwned(t, acting, []account.Call{w.mint(t, w.owner.Address())})
	require.ErrorIs(t, err, account.ErrModuleNotEnabled)
	require.ErrorContains(t, err, "module 0x000000824dc138db84FD9109fc154bdad332Aa8E on account "+w.owner.Address().Hex()+"; enable it, or sign through one that is with ActiveModule")
	_, err = sendOwned(t, acting, []account.Call{w.mint(t, w.owner.Address())}, account.Unchecked())
	require.ErrorContains(t, err, "AA23 reverted")
}

func TestWrongOwnerIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := sendOwned(t, w.owner, []account.Call{w.mint(t, w.owner.Address())})
	require.NoError(t, err)
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	thief := w.client.OwnedAccount(account.KeyOwner(key), account.AtAddress(w.owner.Address()))
	_, err = sendOwned(t, thief, []account.Call{w.mint(t, stranger)})
	require.ErrorIs(t, err, account.ErrWrongOwner)
	require.ErrorContains(t, err, "wrong owner: account "+w.owner.Address().Hex()+" belongs to "+w.owner.Owner().Address().Hex()+
		" at module 0x0000001c5b32F37F5beA87BDD5374eB2aC54eA8e, not to "+thief.Owner().Address().Hex())
	_, err = sendOwned(t, thief, []account.Call{w.mint(t, stranger)}, account.Unchecked())
	require.ErrorContains(t, err, "AA24 signature error")
}

func TestTheOwnerIsLookedUpOnceInAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	for freshness, want := range map[time.Duration]int32{time.Hour: 1, -1: 2} { // the nonce, and the owner
		chain := &countedChain{Client: w.chain.Client()}
		config := w.config
		config.Chain, config.Freshness = chain, freshness
		client, err := account.NewClient(config)
		require.NoError(t, err)
		owner := client.OwnedAccount(w.owner.Owner())
		done(t)(owner.Send(t.Context(), []account.Call{w.mint(t, owner.Address())}, account.Sponsored()))
		chain.calls.Store(0)
		_, err = owner.Build(t.Context(), []account.Call{w.mint(t, owner.Address())}, account.Sponsored())
		require.NoError(t, err)
		require.Equal(t, want, chain.calls.Load(), freshness)
	}
}

func TestOwnedAccountByAddressHasNoInitCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	elsewhere := w.client.OwnedAccount(account.KeyOwner(w.ownerKey), account.AtAddress(stranger))
	require.Nil(t, elsewhere.InitCode())
	_, err := sendOwned(t, elsewhere, []account.Call{w.mint(t, stranger)})
	require.ErrorIs(t, err, account.ErrNotDeployed)
	require.ErrorIs(t, elsewhere.CheckAddress(t.Context()), account.ErrConfig)
}

// countingSigner is a signer of one's own: it signs as the ECDSA module wants, and counts.
type countingSigner struct {
	userop.Signer
	signed *int
}

func (s countingSigner) Sign(ctx context.Context, op *userop.Operation, hash common.Hash) ([]byte, error) {
	*s.signed++
	return s.Signer.Sign(ctx, op, hash)
}

func TestAnySignerWithItsModule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	module, signed := w.client.ECDSAModule(account.KeyOwner(w.ownerKey)), 0
	module.Signer = countingSigner{module.Signer, &signed}
	owner := w.client.OwnedAccount(nil, account.DefaultModule(module))
	require.Equal(t, w.owner.Address(), owner.Address())
	_, err := sendOwned(t, owner, []account.Call{w.mint(t, owner.Address())})
	require.NoError(t, err)
	require.Equal(t, 1, signed)

	// For one operation, and for an account that is known by its address alone.
	_, err = w.send(t, []account.Call{w.mint(t, owner.Address())}, account.WithSigner(module.Signer))
	require.NoError(t, err)
	require.Equal(t, 2, signed)

	// Who has no owner to compare with decides alone who gets to own the account.
	next := w.client.MultichainModule(newOwner(t))
	done(t)(owner.SetupAndEnableModule(t.Context(), next.Address, next.Setup, account.Sponsored()))

	_, err = owner.SignMessage(t.Context(), []byte("hello"))
	require.ErrorIs(t, err, account.ErrNoSigner)
	require.ErrorContains(t, err, "the signer of module 0x0000001c5b32F37F5beA87BDD5374eB2aC54eA8e signs operations only")
}

func TestTheOwnerIsTheOneOfTheActiveModule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	byModule := w.client.OwnedAccount(nil, account.DefaultModule(w.client.ECDSAModule(w.owner.Owner())))
	require.Equal(t, w.owner.Owner().Address(), byModule.Owner().Address())
	for range 2 { // deployed with the first
		_, err := sendOwned(t, byModule, []account.Call{w.mint(t, byModule.Address())})
		require.NoError(t, err)
	}

	// At the multichain module the account belongs to somebody else as well.
	other := w.client.MultichainModule(newOwner(t))
	enable := account.Call{To: byModule.Address(), Data: contracts.SetupAndEnableModule(other.Address, other.Setup)}
	_, err := sendOwned(t, byModule, []account.Call{enable})
	require.NoError(t, err)
	acting := w.client.OwnedAccount(w.owner.Owner(), account.ActiveModule(other))
	_, err = sendOwned(t, acting, []account.Call{w.mint(t, acting.Address())})
	require.NoError(t, err)
	leg := account.Leg{Account: acting, Calls: []account.Call{w.mint(t, acting.Address())}, Options: []account.Option{account.Sponsored()}}
	sent, err := account.SendTogether(t.Context(), leg)
	require.NoError(t, err)
	_, err = sent[0].Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(4), w.nfts(t))
}

func TestBadModulesAreRefused(t *testing.T) {
	client := offlineClient(t)
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	good := client.ECDSAModule(account.KeyOwner(key))
	noSetup, noSigner, noAddress := good, good, good
	noSetup.Setup, noSigner.Signer, noAddress.Address = nil, nil, common.Address{}
	tests := []struct {
		name  string
		owner account.Owner
		opts  []account.OwnedOption
		want  string
		is    error
	}{
		{"no owner", nil, nil, "no signer: the owner has no key", account.ErrNoSigner},
		{"no key", account.KeyOwner(nil), nil, "no signer: the owner has no key", account.ErrNoSigner},
		{"default without setup", nil, []account.OwnedOption{account.DefaultModule(noSetup)}, "default module 0x0000001c5b32F37F5beA87BDD5374eB2aC54eA8e without the setup data", account.ErrConfig},
		{"default without signer", nil, []account.OwnedOption{account.DefaultModule(noSigner)}, "default module 0x0000001c5b32F37F5beA87BDD5374eB2aC54eA8e without a signer", account.ErrConfig},
		{"active without address", account.KeyOwner(key), []account.OwnedOption{account.ActiveModule(noAddress)}, "active module without an address", account.ErrConfig},
		{"two default modules", account.KeyOwner(key), []account.OwnedOption{account.Multichain(), account.DefaultModule(good)}, "invalid configuration: Multichain and DefaultModule each choose the module that decides the address; use one", account.ErrConfig},
		{"two accounts", account.KeyOwner(key), []account.OwnedOption{account.AtAddress(stranger), account.Index(1)}, "invalid configuration: AtAddress and Index each choose the account; use one", account.ErrConfig},
		{"active without signer", account.KeyOwner(key), []account.OwnedOption{account.ActiveModule(noSigner)}, "active module 0x0000001c5b32F37F5beA87BDD5374eB2aC54eA8e without a signer", account.ErrConfig},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			owned := client.OwnedAccount(tt.owner, tt.opts...)
			_, err := owned.Send(t.Context(), []account.Call{{To: stranger}})
			require.ErrorIs(t, err, tt.is)
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err, "account "+owned.Address().Hex())
			_, err = owned.SignMessage(t.Context(), []byte("hello"))
			require.ErrorIs(t, err, tt.is)
		})
	}
}

// forger signs with another key than the one whose address it gives.
type forger struct{ account.Owner }

func (forger) Address() common.Address { return stranger }

func TestOwnerThatSignsWithAnotherKeyIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	owner := w.client.OwnedAccount(forger{account.KeyOwner(w.ownerKey)})
	_, err := sendOwned(t, owner, []account.Call{w.mint(t, stranger)})
	require.ErrorIs(t, err, account.ErrWrongOwner)

	_, _, err = w.client.OwnedAccount(forger{account.KeyOwner(w.ownerKey)}).Grant(t.Context(), w.store, []policy.Policy{w.nftPolicy()}, account.Sponsored())
	require.ErrorContains(t, err, "wrong owner: signature of owner "+stranger.Hex()+": "+w.owner.Owner().Address().Hex()+" signed, not "+stranger.Hex()+"; have the wallet sign with that account")
	for _, word := range []string{"keyring", "session key"} {
		require.NotContains(t, err.Error(), word)
	}
}

func ExampleActiveModule() {
	w := exampleWorld()
	owner := w.owner.Owner()
	multichain := w.client.MultichainModule(owner)

	// The same account, from now on through the multichain module.
	acting := w.client.OwnedAccount(owner, account.ActiveModule(multichain))
	tx, err := acting.SetupAndEnableModule(w.ctx, multichain.Address, multichain.Setup, account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := tx.Wait(w.ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(acting.Address() == w.owner.Address())
	fmt.Println(acting.Simulate(w.ctx, []account.Call{{To: owner.Address()}}, account.Sponsored()))
	// Output:
	// true
	// <nil>
}

// auditedSigner is a wrapper around a signer, and says so.
type auditedSigner struct{ userop.Signer }

func (s auditedSigner) Unwrap() userop.Signer { return s.Signer }

func TestAWrapperAroundTheOwnersSignerKeepsTheOwnersChecks(t *testing.T) {
	w := newWorld(t)
	done(t)(w.owner.Deploy(t.Context(), account.Sponsored()))
	as := func(owner account.Owner) *account.OwnedAccount {
		module := w.client.ECDSAModule(owner)
		module.Signer = auditedSigner{module.Signer}
		return w.client.OwnedAccount(nil, account.AtAddress(w.owner.Address()), account.DefaultModule(module))
	}
	calls := []account.Call{w.mint(t, w.owner.Address())}
	thief, err := crypto.GenerateKey()
	require.NoError(t, err)
	_, err = as(account.KeyOwner(thief)).Send(t.Context(), calls, account.Sponsored())
	require.ErrorIs(t, err, account.ErrWrongOwner)
	_, err = as(account.KeyOwner(nil)).Send(t.Context(), calls, account.Sponsored())
	require.ErrorIs(t, err, account.ErrNoSigner)
	done(t)(as(w.owner.Owner()).Send(t.Context(), calls, account.Sponsored()))
	require.Equal(t, w.owner.Owner().Address(), as(w.owner.Owner()).Owner().Address())
}
