package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/tsstore"
)

// detailJSON is what inspect says of one account on one chain.
type detailJSON struct {
	ChainID  uint64         `json:"chainID"`
	Account  common.Address `json:"account"`
	Sessions []sessionJSON  `json:"sessions"`
	Findings []findingJSON  `json:"findings"`
	Files    []findingJSON  `json:"files,omitempty"`
	Root     common.Hash    `json:"root"`
	Change   *changeJSON    `json:"change,omitempty"`
	// Trouble is why the sessions do not open.
	Trouble    string           `json:"trouble,omitempty"`
	UnusedKeys []common.Address `json:"unusedKeys,omitempty"`
	Chain      *chainJSON       `json:"chain,omitempty"`
	Actions    todos            `json:"actions"`
}

// findingJSON is something that was found: about a session, or about files.
type findingJSON struct {
	Session  string `json:"session,omitempty"`
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	Path     string `json:"path,omitempty"`
	Entry    string `json:"entry,omitempty"`
	Fatal    bool   `json:"fatal,omitempty"`
	leaf     int
}

func newFindingJSON(f policy.Finding) findingJSON {
	return findingJSON{Session: f.Session, Severity: f.Severity.String(), Code: string(f.Code), Message: f.Message, leaf: f.Leaf}
}

func (f *findingJSON) cell() cell {
	switch f.Severity {
	case policy.SeverityDanger.String():
		return cell{f.Severity, alarm}
	case policy.SeverityWarning.String():
		return cell{f.Severity, caution}
	}
	return cell{f.Severity, plain}
}

// chainJSON is what the chain shows of an account.
type chainJSON struct {
	Deployed bool             `json:"deployed"`
	Balance  string           `json:"balance"`
	Deposit  string           `json:"deposit"`
	Nonce    string           `json:"nonce"`
	Modules  []common.Address `json:"modules"`
	Owners   []ownerJSON      `json:"owners"`
	Root     common.Hash      `json:"root"`
	// RootIs is stored, pending, before the last change, or unknown: which root of the store it is.
	RootIs   string   `json:"rootIs"`
	Warnings []string `json:"warnings"`
}

type ownerJSON struct {
	Module common.Address `json:"module"`
	Owner  common.Address `json:"owner"`
}

// What the root on chain is to the store.
const (
	rootStored  = "stored"
	rootPending = "pending"
	rootBefore  = "before the last change"
	rootUnknown = "unknown"
)

// accounts inspects one account, on each chain that it has sessions on.
func (in *inspection) accounts(ctx context.Context, c *call, o *opened) error {
	net, err := c.connect(ctx, in.node, "", in.chain)
	if err != nil {
		return err
	}
	if net != nil {
		defer net.close()
		in.chain = net.client.ChainID()
	}
	refs, err := in.refs(ctx, o)
	if err != nil {
		return err
	}
	said, actions := []*detailJSON{}, 0
	for _, ref := range refs {
		detail, err := in.look(ctx, c, o, ref, net)
		if err != nil {
			return err
		}
		said, actions = append(said, detail), actions+len(detail.Actions)
	}
	if c.json {
		err = c.out.value(map[string]any{"store": o.what, "accounts": said})
	} else {
		for i, detail := range said {
			if i > 0 {
				c.out.write("\n")
			}
			detail.print(c.out)
		}
	}
	if err != nil {
		return err
	}
	return needsAction(actions)
}

// look says what the store has of one account and, with a network, what the chain shows.
func (in *inspection) look(ctx context.Context, c *call, o *opened, ref session.Ref, net *network) (*detailJSON, error) {
	d := &detailJSON{ChainID: ref.ChainID, Account: ref.Account, Sessions: []sessionJSON{}, Findings: []findingJSON{}, Actions: todos{}}
	if o.ts != nil {
		if err := d.files(ctx, o.ts, ref, net); err != nil {
			return nil, err
		}
	}
	state, err := d.open(ctx, o, ref)
	if err != nil || state == nil {
		return d, err
	}
	config := policy.LintConfig{Account: ref.Account, Modules: modulesOf(ref.ChainID)}
	findings := session.Lint(state.Leaves, config)
	if net != nil {
		user := net.client.Account(ref.Account)
		chain, err := user.State(ctx)
		if err != nil {
			return nil, err
		}
		config = user.LintConfig(chain)
		if findings, err = user.Lint(ctx, state.Leaves); err != nil {
			return nil, err
		}
		d.compare(state, chain)
	}
	for i := range state.Leaves {
		leaf := &state.Leaves[i]
		d.Sessions = append(d.Sessions, newSessionJSON(i, leaf, leaf.DescribeWith(config), c.now()))
	}
	for _, f := range findings {
		d.Findings = append(d.Findings, newFindingJSON(f))
	}
	if err := d.unused(ctx, o, ref); err != nil {
		return nil, err
	}
	d.judge(ref)
	return d, nil
}

// open reads the sessions. Those that do not open are told nevertheless, with why; nil where nothing can be.
func (d *detailJSON) open(ctx context.Context, o *opened, ref session.Ref) (*session.State, error) {
	_, trouble := session.Open(ctx, o.store, ref)
	if errors.Is(trouble, session.ErrNotFound) {
		return nil, trouble
	}
	state, err := o.store.Load(ctx, ref)
	if err != nil && trouble == nil {
		return nil, err
	}
	if trouble != nil {
		d.Trouble = trouble.Error()
		d.Actions.add("they sign nothing meanwhile", "the sessions of %s do not open: %v", ref, trouble)
	}
	if err != nil {
		return nil, nil //nolint:nilerr // it is the trouble that is told
	}
	d.Root = state.Root
	if state.Pending != nil {
		change := newChangeJSON(ref, state.Pending)
		d.Change = &change
	}
	return state, nil
}

// files says what is wrong with the TypeScript SDK's files.
func (d *detailJSON) files(ctx context.Context, store *tsstore.Store, ref session.Ref, net *network) error {
	var opts []tsstore.InspectOption
	if net != nil {
		opts = append(opts, tsstore.WithChain(net.client))
	}
	report, err := store.Inspect(ctx, ref, opts...)
	if err != nil {
		return err
	}
	for _, f := range report.Findings {
		found := newFindingJSON(f.Finding)
		found.Path, found.Entry, found.Fatal = f.Path, f.Entry, f.Fatal
		d.Files = append(d.Files, found)
		if f.Fatal {
			d.Actions.add("they cannot be taken over as they are", "%s", f.Message)
		}
	}
	return nil
}

// compare says what the chain shows, and which root of the store that is.
func (d *detailJSON) compare(state *session.State, chain *account.State) {
	d.Chain = &chainJSON{
		Deployed: chain.Deployed, Balance: chain.Balance.Dec(), Deposit: chain.Deposit.Dec(), Nonce: chain.Nonce.Dec(),
		Modules: append([]common.Address{}, chain.Modules...), Owners: []ownerJSON{}, Root: chain.SessionRoot, RootIs: rootUnknown,
		Warnings: append([]string{}, chain.Warnings()...),
	}
	for _, owner := range chain.Owners {
		d.Chain.Owners = append(d.Chain.Owners, ownerJSON{owner.Module, owner.Owner})
	}
	switch {
	case chain.SessionRoot == state.Root:
		d.Chain.RootIs = rootStored
	case state.Pending != nil && chain.SessionRoot == state.Pending.Root:
		d.Chain.RootIs = rootPending
	case state.Landed != nil && chain.SessionRoot == state.Landed.Before:
		d.Chain.RootIs = rootBefore
	}
}

// unused looks for keys that no session names. A store without its secret tells none.
func (d *detailJSON) unused(ctx context.Context, o *opened, ref session.Ref) (err error) {
	store, ok := o.store.(interface {
		session.Store
		session.Keyring
	})
	if !ok {
		return nil
	}
	if d.UnusedKeys, err = session.UnusedKeys(ctx, store, ref); isNoSealer(err) {
		return nil
	}
	return err
}

// judge says what needs action, beside what was found before.
func (d *detailJSON) judge(ref session.Ref) {
	if d.Change != nil {
		d.Actions.add("sesame reconcile settles it", "a change of sessions waits for the chain, operation %s", d.Change.Operation)
	}
	for i := range d.Sessions {
		if s := &d.Sessions[i]; s.Standing {
			d.Actions.add("have the owner revoke it (OwnedAccount.Revoke)", "session %s was stopped here and stands on chain", s.ID)
		}
	}
	for _, f := range d.Findings {
		if f.Severity == policy.SeverityDanger.String() {
			d.Actions.add("revoke it, or grant a narrower one", "danger, session %s: %s", f.Session, f.Message)
		}
	}
	if d.Chain == nil {
		return
	}
	if d.Chain.Balance != "0" || d.Chain.Deposit != "0" {
		for _, warning := range d.Chain.Warnings {
			d.Actions.add("see what it says", "funds are at risk: %s", warning)
		}
	}
	switch d.Chain.RootIs {
	case rootBefore:
		d.Actions.add("sesame reconcile sends it again", "the chain shows the root from before the last change, which it took back, or the node lags behind")
	case rootUnknown:
		d.Actions.add("adopt the other backend's document (sesame import -adopt), and have the owner restore what it left out", "the chain shows root %s of %s, which the store does not know", rootText(d.Chain.Root), ref)
	}
}

func (d *detailJSON) print(p *printer) {
	p.line("%s: %s", session.Ref{ChainID: d.ChainID, Account: d.Account}, counted(len(d.Sessions), "session"))
	if len(d.Files) > 0 {
		p.title("Files")
		t := new(table)
		for i := range d.Files {
			f := &d.Files[i]
			t.row(f.cell(), f.Entry, f.Message)
		}
		p.table(2, t)
	}
	for i := range d.Sessions {
		d.printSession(p, i)
	}
	d.printAccount(p)
	d.Actions.print(p)
}

func (d *detailJSON) printSession(p *printer, i int) {
	s := &d.Sessions[i]
	status := s.word()
	p.write("\n" + p.paint(bold, p.clean(fmt.Sprintf("%d. %s", i, s.ID))) + "  " + p.paint(status.style, p.clean(status.text)) + "\n")
	t := new(table)
	t.row("key", s.Key)
	t.row("allows", s.Allows)
	if s.ValidAfter != nil {
		t.row("begins", s.ValidAfter.Format(time.RFC3339))
	}
	t.row("ends", ends(s.ValidUntil))
	d.findings(t, i)
	p.table(2, t)
}

// findings adds what was found about a session, or about the account.
func (d *detailJSON) findings(t *table, leaf int) {
	for i := range d.Findings {
		if f := &d.Findings[i]; f.leaf == leaf {
			t.row(f.cell(), f.Message)
		}
	}
}

func (d *detailJSON) printAccount(p *printer) {
	p.title("Account")
	t := new(table)
	d.findings(t, policy.NoLeaf)
	if d.Trouble != "" {
		t.row(cell{"trouble", alarm}, d.Trouble)
	}
	t.row("root", rootText(d.Root))
	if d.Change != nil {
		t.row(cell{"waits for", caution}, fmt.Sprintf("operation %s, which %s; the chain takes it until: %s", d.Change.Operation, d.Change.words(), ends(d.Change.Until)))
	}
	for _, key := range d.UnusedKeys {
		t.row("unused key", key)
	}
	if d.Chain != nil {
		d.Chain.facts(t)
	}
	p.table(2, t)
}

// rootText is a session root, which is zero where none was ever set.
func rootText(root common.Hash) string {
	if root == (common.Hash{}) {
		return "none"
	}
	return root.Hex()
}

// facts adds what the chain shows.
func (c *chainJSON) facts(t *table) {
	is := cell{"the store's root", good}
	switch c.RootIs {
	case rootPending:
		is = cell{"the root of the change that waits: it has landed", caution}
	case rootBefore:
		is = cell{"the root from before the last change", alarm}
	case rootUnknown:
		is = cell{"root " + rootText(c.Root) + ", which the store does not know", alarm}
	}
	t.row("chain shows", is)
	deployed := "yes"
	if !c.Deployed {
		deployed = "not yet"
	}
	t.row("deployed", deployed)
	t.row("balance", ether(c.Balance))
	t.row("deposit", ether(c.Deposit)+" at the EntryPoint")
	t.row("nonce", c.Nonce)
	for _, owner := range c.Owners {
		t.row("owner", fmt.Sprintf("%s, at module %s", owner.Owner, owner.Module))
	}
	for _, module := range c.Modules {
		t.row("module", module)
	}
	for _, warning := range c.Warnings {
		t.row(cell{"warning", alarm}, warning)
	}
}

// ether is an amount of wei in the chain's own currency.
func ether(wei string) string {
	amount, err := uint256.FromDecimal(wei)
	if err != nil {
		return wei + " wei"
	}
	return account.Balance{Amount: *amount, Decimals: 18}.String() + " ether"
}
