package account_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// done waits for an operation that has to succeed.
func done(t *testing.T) func(*userop.Pending, error) {
	return func(tx *userop.Pending, err error) {
		t.Helper()
		require.NoError(t, err)
		_, err = tx.Wait(t.Context())
		require.NoError(t, err)
	}
}

func (w *world) modules(t *testing.T) []common.Address {
	t.Helper()
	modules, err := w.user.Modules(t.Context())
	require.NoError(t, err)
	return modules
}

func TestModulesAreEnabledListedAndDisabled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := w.client.Contracts()
	sponsored := account.Sponsored()
	done(t)(w.owner.EnableModule(t.Context(), at.Session.Manager, sponsored)) // and deploys the account
	require.Equal(t, []common.Address{at.Session.Manager, at.ECDSA}, w.modules(t))
	done(t)(w.owner.EnableModule(t.Context(), at.Session.Router, sponsored))
	multichain := w.client.MultichainModule(w.owner.Owner())
	done(t)(w.owner.SetupAndEnableModule(t.Context(), multichain.Address, multichain.Setup, sponsored))
	all := []common.Address{at.Multichain, at.Session.Router, at.Session.Manager, at.ECDSA}
	require.Equal(t, all, w.modules(t), "the last enabled first")
	for page := 1; page <= len(all)+1; page++ {
		modules, err := w.user.ModulesByPage(t.Context(), page)
		require.NoError(t, err)
		require.Equal(t, all, modules, "in pages of %d", page)
	}

	done(t)(w.owner.DisableModule(t.Context(), at.Session.Router, sponsored)) // in the middle
	require.Equal(t, []common.Address{at.Multichain, at.Session.Manager, at.ECDSA}, w.modules(t))
	enabled, err := w.user.IsModuleEnabled(t.Context(), at.Session.Router)
	require.NoError(t, err)
	require.False(t, enabled)

	acting := w.client.OwnedAccount(w.owner.Owner(), account.ActiveModule(multichain))
	done(t)(acting.DisableModule(t.Context(), at.ECDSA, sponsored)) // the last of the list
	require.Equal(t, []common.Address{at.Multichain, at.Session.Manager}, w.modules(t))
	done(t)(acting.Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())}, sponsored))
	require.Equal(t, uint64(1), w.nfts(t))

	_, err = w.owner.Send(t.Context(), []account.Call{w.mint(t, w.owner.Address())}, sponsored)
	require.ErrorIs(t, err, account.ErrModuleNotEnabled, "through the disabled module")
	_, err = acting.DisableModule(t.Context(), at.Multichain, sponsored)
	require.ErrorIs(t, err, account.ErrLockout)
	require.ErrorContains(t, err, "disable module 0x000000824dc138db84FD9109fc154bdad332Aa8E: would lock the owner out: it is the only one through which "+
		w.owner.Owner().Address().Hex()+" owns account "+w.owner.Address().Hex()+"; enable another ownership module first")
	done(t)(acting.DisableModule(t.Context(), at.Session.Manager, sponsored)) // the first but one
	_, err = acting.DisableModule(t.Context(), at.Multichain, sponsored)
	require.ErrorIs(t, err, account.ErrLockout)
	require.ErrorContains(t, err, "it is the last module of account "+w.owner.Address().Hex())
	require.Equal(t, []common.Address{at.Multichain}, w.modules(t))
}

func TestModuleTwiceIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	manager := w.client.Contracts().Session.Manager
	done(t)(w.owner.EnableModule(t.Context(), manager, account.Sponsored()))
	_, err := w.owner.EnableModule(t.Context(), manager, account.Sponsored())
	require.ErrorIs(t, err, account.ErrModuleEnabled)
	require.EqualError(t, err, "enable module "+manager.Hex()+": module is enabled already on account "+w.owner.Address().Hex()+": module "+manager.Hex())
	_, err = sendOwned(t, w.owner, []account.Call{{To: w.owner.Address(), Data: contracts.EnableModule(manager)}})
	require.ErrorContains(t, err, "ModuleAlreadyEnabled("+manager.Hex()+")", "as the chain says it")

	fresh := w.client.OwnedAccount(w.owner.Owner(), account.Index(1))
	_, err = fresh.EnableModule(t.Context(), fresh.Module().Address, account.Sponsored())
	require.ErrorIs(t, err, account.ErrModuleEnabled, "before the account is deployed too")
	_, err = fresh.DisableModule(t.Context(), fresh.Module().Address, account.Sponsored())
	require.ErrorIs(t, err, account.ErrLockout)
}

func TestModulesThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		module common.Address
		want   string
	}{
		{common.Address{}, "invalid input: the account keeps addresses 0 and 1 for itself"},
		{contracts.SentinelModule, "invalid input: the account keeps addresses 0 and 1 for itself"},
		{w.owner.Address(), "invalid input: the account cannot be a module of itself"},
		{stranger, "invalid input: there is no contract at that address on chain 80002; whoever deploys one there would own the account"},
	} {
		_, err := w.owner.EnableModule(t.Context(), tt.module, account.Sponsored())
		require.ErrorIs(t, err, policy.ErrInvalid)
		require.EqualError(t, err, "enable module "+tt.module.Hex()+": "+tt.want)
		_, err = w.owner.SetupAndEnableModule(t.Context(), tt.module, nil, account.Sponsored())
		require.EqualError(t, err, "set up module "+tt.module.Hex()+": "+tt.want)
	}
	for _, module := range []common.Address{{}, contracts.SentinelModule} {
		_, err := w.owner.DisableModule(t.Context(), module, account.Sponsored())
		require.ErrorIs(t, err, policy.ErrInvalid)
	}
	_, err := w.owner.DisableModule(t.Context(), stranger, account.Sponsored())
	require.ErrorIs(t, err, account.ErrModuleNotEnabled)
	require.ErrorContains(t, err, "account "+w.owner.Address().Hex()+" has modules [0x0000001c5b32F37F5beA87BDD5374eB2aC54eA8e]")
	deployed, err := w.user.Deployed(t.Context())
	require.NoError(t, err)
	require.False(t, deployed, "nothing was sent")
}

func TestOwnershipModuleOfSomeoneElseIsNotEnabled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	multichain := w.client.MultichainModule(w.owner.Owner())
	_, err := w.owner.EnableModule(t.Context(), multichain.Address, account.Sponsored())
	require.ErrorIs(t, err, account.ErrWrongOwner)
	require.ErrorContains(t, err, "has no owner at this module yet; SetupAndEnableModule registers one")

	done(t)(w.owner.Send(t.Context(), []account.Call{{To: multichain.Address, Data: contracts.InitForSmartAccount(stranger)}}, account.Sponsored()))
	_, err = w.owner.EnableModule(t.Context(), multichain.Address, account.Sponsored())
	require.ErrorIs(t, err, account.ErrWrongOwner)
	want := "wrong owner: account " + w.owner.Address().Hex() + " belongs to " + stranger.Hex() +
		" at this module, who would own it with the module enabled; transferOwnership of the module, called by the account, changes that"
	require.EqualError(t, err, "enable module "+multichain.Address.Hex()+": "+want)
	_, err = w.owner.SetupAndEnableModule(t.Context(), multichain.Address, multichain.Setup, account.Sponsored())
	require.ErrorIs(t, err, account.ErrWrongOwner)
	require.EqualError(t, err, "set up module "+multichain.Address.Hex()+": "+want)

	// As the error says.
	mine := account.Call{To: multichain.Address, Data: contracts.TransferOwnership(w.owner.Owner().Address())}
	done(t)(w.owner.Send(t.Context(), []account.Call{mine}, account.Sponsored()))
	_, err = w.owner.SetupAndEnableModule(t.Context(), multichain.Address, multichain.Setup, account.Sponsored())
	require.ErrorIs(t, err, policy.ErrInvalid)
	require.ErrorContains(t, err, "is registered there already, with owner "+w.owner.Owner().Address().Hex()+"; EnableModule alone is what is missing")
	done(t)(w.owner.EnableModule(t.Context(), multichain.Address, account.Sponsored()))
}

// namesModule deploys a contract whose setup, whatever it is called with, is for that module.
func namesModule(t *testing.T, w *world, module common.Address) common.Address {
	t.Helper()
	answer := append([]byte{0x73}, module[:]...)                                            // PUSH20 module
	return deployCode(t, w.chain, append(answer, 0x60, 0, 0x52, 0x60, 0x20, 0x60, 0, 0xf3)) // MSTORE, RETURN
}

func TestSetupThatGivesTheAccountAwayIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at, sponsored := w.client.Contracts(), account.Sponsored()
	_, err := w.owner.SetupAndEnableModule(t.Context(), at.Multichain, contracts.InitForSmartAccount(stranger), sponsored)
	require.ErrorIs(t, err, account.ErrWrongOwner)
	require.EqualError(t, err, "set up module "+at.Multichain.Hex()+": wrong owner: account "+w.owner.Address().Hex()+
		" would belong to "+stranger.Hex()+" at this module, not to "+w.owner.Owner().Address().Hex())

	// What is enabled is the module that the setup names, not the contract that was called.
	for _, tt := range []struct {
		module common.Address
		want   string
		is     error
	}{
		{stranger, "invalid input: there is no contract at that address on chain 80002; whoever deploys one there would own the account", policy.ErrInvalid},
		{w.owner.Address(), "invalid input: the account cannot be a module of itself", policy.ErrInvalid},
		{at.ECDSA, "module is enabled already on account " + w.owner.Address().Hex() + ": module " + at.ECDSA.Hex(), account.ErrModuleEnabled},
		{at.Multichain, "wrong owner: account " + w.owner.Address().Hex() + " has no owner at this module yet; SetupAndEnableModule registers one", account.ErrWrongOwner},
	} {
		setup := namesModule(t, w, tt.module)
		_, err := w.owner.SetupAndEnableModule(t.Context(), setup, nil, sponsored)
		require.ErrorIs(t, err, tt.is)
		require.EqualError(t, err, "set up module "+setup.Hex()+": module "+tt.module.Hex()+": "+tt.want)
	}
	// One that answers the account alone is asked as the account.
	user := w.owner.Address()
	private := slices.Concat([]byte{0x33, 0x73}, user[:], []byte{0x14, 0x60, 0x1f, 0x57, 0x60, 0, 0x60, 0, 0xfd, 0x5b, 0x73}, stranger[:], []byte{0x60, 0, 0x52, 0x60, 0x20, 0x60, 0, 0xf3})
	_, err = w.owner.SetupAndEnableModule(t.Context(), deployCode(t, w.chain, private), nil, sponsored)
	require.ErrorIs(t, err, policy.ErrInvalid)
	require.ErrorContains(t, err, "there is no contract at that address")
	done(t)(w.owner.SetupAndEnableModule(t.Context(), namesModule(t, w, at.Session.Manager), nil, sponsored))
	require.Equal(t, []common.Address{at.Session.Manager, at.ECDSA}, w.modules(t))
}

func TestModulesOfAnAccountWithoutCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.user.Modules(t.Context())
	require.ErrorIs(t, err, account.ErrNotDeployed)
	_, err = w.user.IsModuleEnabled(t.Context(), stranger)
	require.ErrorIs(t, err, account.ErrNotDeployed)

	elsewhere := w.client.OwnedAccount(w.owner.Owner(), account.AtAddress(stranger))
	at := w.client.Contracts()
	_, err = elsewhere.EnableModule(t.Context(), at.Session.Manager)
	require.ErrorIs(t, err, account.ErrNotDeployed)
	_, err = elsewhere.SetupAndEnableModule(t.Context(), at.Multichain, elsewhere.Module().Setup)
	require.ErrorIs(t, err, account.ErrNotDeployed)
	_, err = elsewhere.DisableModule(t.Context(), at.ECDSA)
	require.ErrorIs(t, err, account.ErrNotDeployed)
	_, err = elsewhere.TransferOwnership(t.Context(), common.Address{1})
	require.ErrorIs(t, err, account.ErrNotDeployed)
}

func ExampleOwnedAccount_EnableModule() {
	w := exampleWorld()
	modules := w.client.Contracts().Session

	tx, err := w.owner.EnableModule(w.ctx, modules.Manager, account.Sponsored())
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := tx.Wait(w.ctx); err != nil {
		fmt.Println(err)
		return
	}
	enabled, err := w.owner.Modules(w.ctx)
	fmt.Println(enabled, err)

	_, err = w.owner.DisableModule(w.ctx, w.owner.Module().Address)
	fmt.Println(errors.Is(err, account.ErrLockout))
	// Output:
	// [0x000002FbFfedd9B33F4E7156F2DE8D48945E7489 0x0000001c5b32F37F5beA87BDD5374eB2aC54eA8e] <nil>
	// true
}

func ExampleOwnedAccount_DisableModule() {
	w := exampleWorld()
	manager := w.client.Contracts().Session.Manager
	user := w.client.Account(w.owner.Address()) // known by its address alone

	_, err := user.IsModuleEnabled(w.ctx, manager)
	fmt.Println("not deployed:", errors.Is(err, account.ErrNotDeployed))

	for _, change := range []func(context.Context, common.Address, ...account.Option) (*userop.Pending, error){
		w.owner.EnableModule, // deploys the account
		w.owner.DisableModule,
	} {
		tx, err := change(w.ctx, manager, account.Sponsored())
		if err != nil {
			fmt.Println(err)
			return
		}
		if _, err := tx.Wait(w.ctx); err != nil {
			fmt.Println(err)
			return
		}
		enabled, err := user.IsModuleEnabled(w.ctx, manager)
		fmt.Println("enabled:", enabled, err)
	}
	// Output:
	// not deployed: true
	// enabled: true <nil>
	// enabled: false <nil>
}
