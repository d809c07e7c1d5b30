package account

import (
	"context"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// LintConfig is what the client knows of the account, for session.Lint and for describing its sessions: the
// contracts that guard it, whether it pays its gas itself, as it does where the client has no paymaster, and
// from a state that was read, what it holds and which modules it listens to. A nil state is not known.
func (a *Account) LintConfig(state *State) policy.LintConfig {
	c := &a.client.contracts
	config := policy.LintConfig{
		Modules:        c.Session,
		Account:        a.address,
		Guards:         []common.Address{c.EntryPoint, c.ECDSA, c.Multichain},
		SelfPaid:       a.client.selfPaid,
		TokenPaymaster: c.TokenPaymaster,
	}
	if state != nil {
		config.Guards = append(config.Guards, state.Modules...)
		config.Funds = new(uint256.Int).Add(&state.Balance, &state.Deposit)
		config.RouterEnabled = state.RouterEnabled
	}
	return config
}

// Lint is [session.Lint] of leaves of the account, with what the chain says of it and of the contracts that
// the leaves name, which is read in one request: modules that are enabled, funds, and where no contract is.
func (a *Account) Lint(ctx context.Context, leaves []session.Leaf) ([]policy.Finding, error) {
	named := namedContracts(leaves, a.client.contracts.Session)
	state, results, err := a.readState(ctx, readsOf(named)...)
	if err != nil {
		return nil, err
	}
	config := a.LintConfig(state)
	config.NoCode = withoutCode(named, results)
	return session.Lint(leaves, config), nil
}

// lintGrant refuses leaves that are a danger to the account, for what is known of it here at first, and then
// for what the chain says of the contracts that they name.
func (o *OwnedAccount) lintGrant(ctx context.Context, leaves []session.Leaf, allowed []policy.FindingCode) error {
	config := o.LintConfig(nil)
	config.Guards = append(config.Guards, o.initial.Address, o.active.Address)
	if err := refuseDanger(leaves, config, allowed); err != nil {
		return err
	}
	named := namedContracts(leaves, config.Modules)
	results, err := batchRead(ctx, o.client.chain, nil, append(readsOf(named), o.modulesRead(contracts.SentinelModule, modulesPage))...)
	if err != nil {
		return fmt.Errorf("contracts that the sessions name: %w", err)
	}
	if account := results[len(named)]; account.HasCode {
		modules, err := o.decodeModules(ctx, account, modulesPage)
		if err != nil {
			return fmt.Errorf("account %s: %w", o.address, err)
		}
		config.Guards = append(config.Guards, modules...)
	}
	config.NoCode = withoutCode(named, results)
	return refuseDanger(leaves, config, allowed)
}

// readsOf are reads that tell whether the addresses have code.
func readsOf(addresses []common.Address) []contracts.Read {
	reads := make([]contracts.Read, len(addresses))
	for i, address := range addresses {
		reads[i].To = address
	}
	return reads
}

// withoutCode returns the addresses that the results of their reads say have no code.
func withoutCode(addresses []common.Address, results []contracts.ReadResult) (none []common.Address) {
	for i, address := range addresses {
		if !results[i].HasCode {
			none = append(none, address)
		}
	}
	return none
}

// refuseDanger returns an error matching [*policy.DangerError] for findings that are not allowed.
func refuseDanger(leaves []session.Leaf, config policy.LintConfig, allowed []policy.FindingCode) error {
	if err := policy.CheckDanger(session.Lint(leaves, config), allowed...); err != nil {
		return fmt.Errorf("%w; nothing was signed, and AllowDanger with the codes grants it all the same", err)
	}
	return nil
}

// namedContracts are the contracts that the leaves let a key call, and the modules that judge it.
func namedContracts(leaves []session.Leaf, m policy.Modules) []common.Address {
	var named []common.Address
	add := func(address common.Address) {
		if !slices.Contains(named, address) {
			named = append(named, address)
		}
	}
	for i := range leaves {
		add(leaves[i].Module)
		if target, ok := leaves[i].Target(m); ok {
			add(target)
		}
	}
	return named
}
