package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/signature"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
	"github.com/go-sesame/sesame/userop/outbox"
)

// Submitted is what became of a [Prepared] that was signed.
type Submitted struct {
	sess *session.Sessions
	tx   *userop.Pending
	// by tells which operation carries the change of the sessions by now, nil where a key does.
	by *submission
}

// Sessions returns the account's sessions, those that it grants among them; nil where it changes none.
func (s *Submitted) Sessions() *session.Sessions { return s.sess }

// Pending returns the operation that was sent; nil where nothing had to be sent.
func (s *Submitted) Pending() *userop.Pending { return s.tx }

// Wait waits until it is in force: for the operation, and where it changes sessions until that is final, as
// [session.Sessions.Activate] does, whose errors it returns, or those of [userop.Pending.Wait]. The receipt
// is nil where nothing had to be sent.
func (s *Submitted) Wait(ctx context.Context, opts ...userop.WaitOption) (*userop.Receipt, error) {
	if s.tx == nil {
		return nil, nil
	}
	if s.sess != nil {
		if err := s.sess.Refresh(ctx); err != nil {
			return nil, err
		}
		tx := s.carrier()
		if pending := s.sess.Pending(); pending != nil && pending.OpHash == tx.Hash() {
			return s.sess.Activate(ctx, tx, opts...)
		}
		return tx.Wait(ctx, opts...) // of a change that is settled already
	}
	return s.tx.Wait(ctx, opts...)
}

// carrier is the operation that the sessions wait for: another process may have replaced the one that was
// submitted.
func (s *Submitted) carrier() *userop.Pending {
	if s.by != nil {
		if change := s.by.begunChange(); change != nil && change.OpHash != s.tx.Hash() {
			return s.by.watch(change)
		}
	}
	return s.tx
}

// Submit sends what was prepared, with the owner's signature of its [Prepared.Request]: in any process, also
// another one than that which prepared it, or after a restart. A Prepared that was parsed has to be the one
// that the application kept: see [Kept]. The store is not needed where no session changes.
//
// The signature is judged as the ownership module judges it on chain, by the key that it recovers, whether
// or not there is code at the owner's address: another key's is an error matching [ErrWrongOwner], and what
// no key's can be one matching [ErrBadSignature]. Then the chain and the store have to be what they were:
// the nonce, the modules, the owner ([ErrWrongOwner]), and where sessions change their root. Otherwise the
// error matches [session.ErrConflict], says what changed, and the operation is to be prepared anew. One
// that is late, by its sponsorship, its window or [SignWithin], is an error matching [userop.ErrExpired].
// In all these cases nothing was stored or sent by this call.
//
// A change of sessions is stored with the signed operation before that is sent, and undone if it surely was
// not accepted; the same signature can be submitted again then. Submitting twice, at two replicas too, or
// after a crash in between, returns what the first submission began; what a crash left open
// [Client.ReconcileAll] finishes as well. With [Once] the operation is written down under a key, as a send
// is, and [Client.Run] goes on with it. Without a key nothing is stored of a send that changes no session:
// it is known again once it landed, and until then by its bundler. If it may be submitted twice, give it a
// key.
//
// One that is stuck gives way to another with its nonce and higher fees, prepared with [WithNonce] and
// [WithFees], which the owner signs as well: a send, whatever it does. A change of sessions that is ended so
// is taken back by [Client.ReconcileAll], and can be prepared anew then.
func (c *Client) Submit(ctx context.Context, store session.Store, p *Prepared, signature []byte, opts ...Option) (*Submitted, error) {
	s, err := submitSettings(opts, once, beforeSend)
	var submissions []*submission
	if err == nil {
		submissions, err = newSubmissions(p, signature, s, store, c)
	}
	if err == nil && len(submissions) != 1 {
		err = fmt.Errorf("%w: one signature for %d operations; SubmitTogether submits them", ErrConfig, len(submissions))
	}
	if err != nil {
		return nil, fmt.Errorf("submit: %w", err)
	}
	submitted, err := submissions[0].submit(ctx)
	if err != nil {
		return nil, fmt.Errorf("submit %s of %s: %w", p.legs[0].Kind, p.legs[0].ref(), err)
	}
	return submitted, nil
}

// SubmitTogether is [Client.Submit] for what [PrepareTogether] or [PrepareGrantTogether] made: the clients
// are those of its chains, in any order. If one of the operations would be refused, is over a budget, or is
// stopped by a kill switch, none is sent. After that each is on its own: the result has an entry for each,
// nil for those that failed and that the [*LegsError] tells about. Submit it again for those; the others
// return what the first submission began.
func SubmitTogether(ctx context.Context, store session.Store, p *Prepared, signature []byte, clients []*Client, opts ...Option) ([]*Submitted, error) {
	s, err := submitSettings(opts)
	var submissions []*submission
	if err == nil {
		submissions, err = newSubmissions(p, signature, s, store, clients...)
	}
	if err == nil {
		err = eachLeg(submissions, func(_ int, sub **submission) error {
			return (*sub).prepare(ctx)
		})
	}
	defer func() {
		for _, sub := range submissions {
			sub.client.giveBack(ctx, sub.leg.ref(), &sub.reserved)
		}
	}()
	if err != nil {
		return nil, fmt.Errorf("submit: %w", err)
	}
	submitted := make([]*Submitted, len(submissions))
	err = eachLeg(submissions, func(i int, sub **submission) (err error) {
		submitted[i], err = (*sub).submit(ctx)
		return err
	})
	if err != nil {
		return submitted, fmt.Errorf("submit: %w", err)
	}
	return submitted, nil
}

// submission is one operation with its signature, on its way.
type submission struct {
	client   *Client
	store    session.Store
	leg      *preparedLeg
	owner    common.Address
	until    uint64 // when the library takes the signature at the latest
	op       *userop.Operation
	settings *settings
	// reserved is what was reserved of budgets for it ahead of the others, 0 for nothing.
	reserved uint64
	// sess are the account's sessions, where the operation changes them; they are opened once.
	sess *session.Sessions
}

// newSubmissions judges what needs no look at the chain or the store.
func newSubmissions(p *Prepared, sig []byte, s *settings, store session.Store, clients ...*Client) ([]*submission, error) {
	if p == nil || len(p.legs) == 0 {
		return nil, fmt.Errorf("%w: nothing prepared", ErrConfig)
	}
	if err := p.checkKept(s.kept); err != nil {
		return nil, err
	}
	signatures, err := p.signatures(sig)
	if err != nil {
		return nil, err
	}
	submissions := make([]*submission, len(p.legs))
	for i := range p.legs {
		leg := &p.legs[i]
		at := slices.IndexFunc(clients, func(c *Client) bool { return c != nil && c.chainID == leg.ChainID })
		if at < 0 {
			return nil, fmt.Errorf("%w: no client of chain %d, which operation %d is for", ErrConfig, leg.ChainID, i)
		}
		if leg.Root != nil {
			if err := checkStore(store); err != nil {
				return nil, err
			}
		}
		if leg.Contracts != preparedContractsOf(&clients[at].contracts) {
			return nil, fmt.Errorf("%w: it was prepared for other contracts than those of the client of chain %d", ErrConfig, leg.ChainID)
		}
		op := leg.operation()
		op.Signature = signatures[i]
		own := *s // several that are submitted together share theirs
		own.always = leg.Kind == kindRevoke
		submissions[i] = &submission{client: clients[at], store: store, leg: leg, owner: p.owner, until: p.until, op: op, settings: &own}
	}
	return submissions, nil
}

// checkKept returns an error unless it is the one that the application kept.
func (p *Prepared) checkKept(kept *keptPrepared) error {
	switch {
	case kept == nil && p.parsed:
		return fmt.Errorf("%w: what was prepared came back as JSON, which anybody may have written: name with Kept the hash and the account that were kept of it", ErrConfig)
	case kept == nil:
		return nil
	case kept.hash != p.hash:
		return fmt.Errorf("%w: it is not the one that was prepared: its hash is %s, the one that was kept %s; prepare it anew", policy.ErrInvalid, p.hash, kept.hash)
	case kept.account == p.Owner() && kept.account != p.Ref().Account:
		return fmt.Errorf("%w: Kept takes the smart account %s (OwnedAccount.Address), not the wallet %s that owns it", policy.ErrInvalid, p.Ref().Account, kept.account)
	case kept.account != p.Ref().Account:
		return fmt.Errorf("%w: it is for account %s, not for %s, whose owner is to sign", policy.ErrInvalid, p.Ref().Account, kept.account)
	}
	return nil
}

// signatures checks the owner's signature as the modules do, and returns that of each operation.
func (p *Prepared) signatures(sig []byte) ([][]byte, error) {
	sig, err := moduleSignature(sig, p.message(), p.owner)
	if err != nil {
		return nil, err
	}
	signatures := make([][]byte, len(p.legs))
	if p.legs[0].Window == nil {
		signatures[0] = contracts.WrapSignature(sig, p.legs[0].Module)
		return signatures, nil
	}
	tree := p.tree()
	for i := range p.legs {
		leg := &p.legs[i]
		proof, err := tree.Proof(i)
		if err != nil {
			return nil, err
		}
		joint := contracts.MultichainSignature(leg.Window.Until, leg.Window.After, tree.Root(), proof, sig)
		signatures[i] = contracts.WrapSignature(joint, leg.Module)
	}
	return signatures, nil
}

// moduleSignature returns the signature in the form that the ownership modules take, if it is the owner's:
// that of the EIP-191 message of the 32 bytes or, as a module takes it too, of the bytes themselves. A
// recovery identifier of 0 or 1, as some wallets have it, becomes the 27 or 28 that the module wants.
func moduleSignature(sig []byte, message common.Hash, owner common.Address) ([]byte, error) {
	formed, err := signature.Form(sig)
	if err != nil {
		hint := "; have the wallet sign again, what Request says"
		if len(sig) != crypto.SignatureLength {
			hint = "; the ownership modules take a key's signature alone, not that of a wallet that is a contract (ERC-1271, ERC-6492)"
		}
		return nil, fmt.Errorf("%w: signature of owner %s: %w%s", ErrBadSignature, owner, err, hint)
	}
	var signer common.Address
	for _, digest := range []common.Hash{messageHash(message[:]), message} {
		recovered, err := recoverSigner(formed, digest)
		switch {
		case err != nil:
		case recovered == owner:
			return formed, nil
		case signer == (common.Address{}):
			signer = recovered
		}
	}
	if signer == (common.Address{}) {
		return nil, fmt.Errorf("%w: signature of owner %s: it recovers no key", ErrBadSignature, owner)
	}
	return nil, fmt.Errorf("%w: %s signed, not owner %s, or it is the signature of something else; have the wallet sign with that account, what Request says", ErrWrongOwner, signer, owner)
}

// recoverSigner returns who signed the digest, of a signature whose form is right.
func recoverSigner(sig []byte, digest common.Hash) (common.Address, error) {
	sig = slices.Clone(sig)
	sig[64] -= 27
	key, err := crypto.SigToPub(digest[:], sig)
	if err != nil {
		return common.Address{}, err
	}
	return crypto.PubkeyToAddress(*key), nil
}

// decided is how a submission goes on: what it is to send, or that it was submitted before.
type decided struct {
	draft *userop.Draft
	plan  *session.RootChange // nil for none
	first *Submitted          // what an earlier submission began, nil for none
}

// errSubmitted says that the operation was submitted before.
var errSubmitted = errors.New("it was submitted before")

// prepare judges all that can be before the operation is sent, and reserves what it may cost, unless it was
// submitted before.
func (s *submission) prepare(ctx context.Context) error {
	d, err := s.decide(ctx)
	if err != nil || d.first != nil {
		return err
	}
	if d.draft.Guard != nil {
		if err := d.draft.Guard(ctx, s.op); err != nil {
			return err
		}
	}
	if s.client.budgets == nil {
		return nil
	}
	_, err = s.client.writes.box.FindHash(ctx, s.client.hash(s.op))
	switch {
	case err == nil: // what it may cost is reserved
		return nil
	case !errors.Is(err, outbox.ErrNotFound):
		return fmt.Errorf("look for an earlier submission: %w; submit it again", err)
	}
	s.reserved, err = s.client.reserve(ctx, s.op, 0, common.Address{}, s.settings.always)
	return err
}

// submit sends the operation, or goes on with what an earlier submission began.
func (s *submission) submit(ctx context.Context) (*Submitted, error) {
	if s.client.writesDown(s.settings) {
		return s.submitOnce(ctx)
	}
	for try := 1; ; try++ {
		d, err := s.decide(ctx)
		if err != nil {
			return nil, err
		}
		if d.first != nil {
			return d.first, nil
		}
		var tx *userop.Pending
		if d.plan == nil {
			tx, err = s.client.sender.Send(ctx, *d.draft)
		} else {
			tx, err = s.client.sendRoot(ctx, d.draft, s.sess, d.plan)
		}
		switch {
		case err == nil:
			return s.submitted(tx), nil
		case !errors.Is(err, session.ErrConflict) || try == maxOnceTries:
			return nil, err
		} // another process was quicker, perhaps with the very same operation
	}
}

// submitOnce is submit under a key.
func (s *submission) submitOnce(ctx context.Context) (*Submitted, error) {
	var root rootSend
	var k *keyed
	var first *Submitted
	settings := *s.settings
	settings.nonce = (*uint256.Int)(s.leg.Operation.Nonce) // it takes no other one
	k, err := s.client.once(s.leg.Account, &settings, s.leg.Kind, strings.Split(s.leg.Asked, "\n"), func(ctx context.Context) (*userop.Draft, error) {
		k.root = nil
		d, err := s.decide(ctx)
		switch {
		case err != nil:
			return nil, err
		case d.first != nil:
			first = d.first
			return nil, errSubmitted
		case d.plan != nil:
			root = rootSend{sess: s.sess, plan: d.plan}
			k.root = &root
		}
		return d.draft, nil
	})
	if err == nil && s.leg.Root != nil {
		err = k.keeps(s.store, "changes")
	}
	if err != nil {
		return nil, err
	}
	k.ahead = &s.reserved
	k.again = func(context.Context, *outbox.Entry) (*userop.Draft, error) {
		return nil, fmt.Errorf("%w: its owner signs elsewhere; once the chain has ended it, prepare it anew under another key", errors.ErrUnsupported)
	}
	if !named(k.send.Key) { // an earlier submission had another
		e, err := k.box.FindHash(ctx, s.client.hash(s.op))
		switch {
		case err == nil:
			return s.recorded(ctx, k.pending(e))
		case !errors.Is(err, outbox.ErrNotFound):
			return nil, fmt.Errorf("look for an earlier submission: %w; submit it again", err)
		}
	}
	tx, err := k.run(ctx)
	taken, isTaken := errors.AsType[*outbox.TakenError](err)
	switch {
	case isTaken && taken.Entry.Key != settings.key && taken.Entry.Attempt(s.leg.OpHash) != nil:
		// It was submitted under that key: to prepare it anew would be to do it twice.
		same, under := *s, *s.settings
		under.key = taken.Entry.Key
		same.settings = &under
		return same.submitOnce(ctx)
	case errors.Is(err, errSubmitted):
		return first, nil
	case errors.Is(err, outbox.ErrNonceTaken):
		return nil, s.anew(changed("%w", err))
	case err != nil:
		return nil, err
	}
	return s.recorded(ctx, tx)
}

// recorded is the result, of a submission that was written down, with the sessions that it changes.
func (s *submission) recorded(ctx context.Context, tx *userop.Pending) (*Submitted, error) {
	if s.leg.Root != nil && s.sess == nil {
		if err := s.open(ctx); err != nil {
			return nil, err
		}
	}
	return &Submitted{sess: s.sess, tx: tx}, nil
}

// open opens the account's sessions.
func (s *submission) open(ctx context.Context) error {
	if s.sess != nil {
		return s.sess.Refresh(ctx)
	}
	sess, err := session.OpenOrNew(ctx, s.store, s.leg.ref())
	if err == nil {
		s.sess = sess.On(s.client)
	}
	return err
}

// decide compares the chain and the store with what they were, and makes the draft of the operation.
func (s *submission) decide(ctx context.Context) (decided, error) {
	seen, err := s.look(ctx)
	if err != nil {
		return decided{}, err
	}
	if first, err := s.begun(ctx, seen); first != nil || err != nil {
		return decided{first: first}, err
	}
	if err := s.checkTime(seen); err != nil {
		return decided{}, err
	}
	if err := s.compare(seen); errors.Is(err, ErrWrongOwner) {
		return decided{}, err
	} else if err != nil {
		return decided{}, s.anew(err)
	}
	d := decided{draft: s.draft()}
	if s.leg.Root == nil {
		return d, nil
	}
	if err := s.compareKeys(ctx); err != nil {
		return decided{}, s.anew(err)
	}
	if s.sess.Pending() != nil {
		if err := s.sess.Reconcile(ctx); errors.Is(err, session.ErrPending) || errors.Is(err, session.ErrRootMismatch) && !takenBack(err) {
			return decided{}, s.anew(changed("another change of the sessions was submitted: %w", err))
		} else if err != nil {
			return decided{}, err
		}
	}
	if d.plan, err = s.sess.PlanAgain(s.leg.Root); err != nil {
		return decided{}, s.anew(err)
	}
	return d, nil
}

// look reads the chain and, beside it, the store.
func (s *submission) look(ctx context.Context) (seen *snapshot, err error) {
	read := func(ctx context.Context) (err error) {
		lane := new(uint256.Int).Rsh((*uint256.Int)(s.leg.Operation.Nonce), 64)
		seen, err = s.client.Account(s.leg.Account).readSnapshot(ctx, lane, s.owner)
		return err
	}
	if s.leg.Root == nil {
		return seen, read(ctx)
	}
	err = beside(ctx, read, s.open)
	return seen, err
}

// submitted is the result, of a submission without a key.
func (s *submission) submitted(tx *userop.Pending) *Submitted {
	if s.sess == nil {
		return &Submitted{tx: tx}
	}
	return &Submitted{sess: s.sess, tx: tx, by: s}
}

// begun returns what an earlier submission of the same operation began, nil for none.
func (s *submission) begun(ctx context.Context, seen *snapshot) (*Submitted, error) {
	used := (*uint256.Int)(s.leg.Operation.Nonce).Lt(&seen.nonce)
	change := s.begunChange()
	if !used && change != nil && !s.waits(change) { // it landed, and the chain took it back: it is made pending again
		if err := s.sess.Reconcile(ctx); err != nil && !errors.Is(err, session.ErrPending) {
			return nil, err
		}
		change = s.begunChange()
	}
	switch {
	case used:
		return s.landed(ctx, change)
	case change == nil:
		return nil, nil
	case !s.waits(change), change.Operation == nil:
		return s.submitted(s.watch(change)), nil
	}
	// The process that began it may have ended before it sent anything: a bundler that knows it says so.
	watched := s.watch(change) // which knows all operations of the change
	_, err := s.client.sender.ResendGuarded(ctx, change.Operation, s.guard())
	if _, over := errors.AsType[*userop.EndedError](err); over {
		return nil, errors.Join(fmt.Errorf("%w; it was submitted before, and never will land: prepare it anew, and have that signed", err), s.sess.Reconcile(ctx))
	}
	if err != nil {
		return nil, fmt.Errorf("%w; it was submitted before, and waits for the chain: submit it again, or have ReconcileAll finish it", err)
	}
	return s.submitted(watched), nil
}

// landed tells what used the operation's nonce: itself, or another one, which the error is about. change is
// what the store knows of its change, nil for nothing.
func (s *submission) landed(ctx context.Context, change *session.PendingRoot) (*Submitted, error) {
	if change != nil {
		return s.submitted(s.watch(change)), nil // its wait tells how it ended
	}
	first := s.client.sender.WatchOperation(s.op)
	is, err := first.Look(ctx)
	switch {
	case is.Receipt != nil:
		return s.submitted(first), nil
	case is.Ended != nil:
		return nil, s.anew(changed("nonce %s of %s was used by operation %s in transaction %s", s.leg.Operation.Nonce, s.leg.ref(), is.Ended.By, is.Ended.Transaction))
	}
	return nil, fmt.Errorf("its nonce is used, by itself or by another operation: %w; submit it again later, which sends nothing", err)
}

// begunChange returns the change of the sessions that an earlier submission began, which waits for the chain
// or is the last one that landed, as far as the store knows; nil for none. The operation that carries it may
// be another one by now, which replaced this one: it has its nonce and sets its root.
func (s *submission) begunChange() *session.PendingRoot {
	if s.sess == nil {
		return nil
	}
	if pending := s.sess.Pending(); pending != nil && s.isOf(pending) {
		return pending
	}
	if landed := s.sess.Landed(); landed != nil && s.isOf(&landed.Change) {
		return &landed.Change
	}
	return nil
}

// isOf reports whether a change is the one that the operation makes.
func (s *submission) isOf(change *session.PendingRoot) bool {
	return change.OpHash == s.leg.OpHash ||
		change.Root == s.leg.Root.Root && change.Nonce == s.op.Nonce && slices.Equal(change.Add, s.leg.Root.Adds())
}

// waits reports whether the change waits for the chain.
func (s *submission) waits(change *session.PendingRoot) bool {
	pending := s.sess.Pending()
	return pending != nil && pending.OpHash == change.OpHash
}

// watch is the pending operation of a change that was begun.
func (s *submission) watch(change *session.PendingRoot) *userop.Pending {
	if change.Operation == nil || change.OpHash == s.leg.OpHash {
		return s.client.sender.WatchOperation(s.op).Guarded(s.guard())
	}
	return s.client.sender.WatchOperation(change.Operation, s.op).Guarded(s.guard())
}

// guard is asked before what changes the sessions is handed out again, nil for nothing to ask.
func (s *submission) guard() userop.Guard {
	if s.leg.Kind == kindRevoke {
		return nil
	}
	return s.client.unstopped(s.store, s.leg.Account)
}

// checkTime returns an error matching [userop.ErrExpired] if it is too late, or [session.ErrExpired] for a
// session.
func (s *submission) checkTime(seen *snapshot) error {
	now, end := seen.clock(), s.leg.end()
	switch {
	case end != 0 && now > end:
		what := "its sponsorship"
		if s.leg.Window != nil && s.leg.Window.Until == end {
			what = "the window that it was signed with"
		}
		return fmt.Errorf("%w: %s ended at %s, and it is %s; prepare it anew, and have that signed", userop.ErrExpired, what, timeText(end), timeText(now))
	case now > s.until:
		return fmt.Errorf("%w: its signature was to come until %s, and it is %s; prepare it anew, and have that signed", userop.ErrExpired, timeText(s.until), timeText(now))
	case s.leg.Root == nil:
		return nil
	}
	for i := range s.leg.Root.Grant {
		if leaf := &s.leg.Root.Grant[i]; leaf.ValidUntil != 0 && now > leaf.ValidUntil {
			return fmt.Errorf("%w: session %q ended at %s, before it was granted; prepare it anew, and have that signed", session.ErrExpired, leaf.ID, timeText(leaf.ValidUntil))
		}
	}
	return nil
}

// anew is the error of an operation that does not fit any more.
func (s *submission) anew(err error) error {
	return fmt.Errorf("%w; nothing was stored or sent: prepare it anew, and have that signed", err)
}

// compare returns an error matching [session.ErrConflict], or [ErrWrongOwner], unless the chain shows of the
// account what it showed when the operation was prepared.
func (s *submission) compare(seen *snapshot) error {
	state, leg := seen.state, s.leg
	switch {
	case state.Deployed && leg.deploys():
		return changed("account %s was deployed meanwhile", leg.Account)
	case !state.Deployed && !leg.deploys():
		return changed("account %s has no code any more: the chain took its deployment back", leg.Account)
	case leg.Root != nil && state.SessionRoot != leg.ChainRoot:
		return changed("the session root of %s was %s, and is %s now", leg.ref(), leg.ChainRoot, state.SessionRoot)
	case !slices.Equal(state.Modules, leg.Modules):
		return changed("the modules of account %s were %v, and are %v now", leg.Account, leg.Modules, state.Modules)
	case leg.deploys() && seen.ownerHasCode:
		return changed("there is code at the address of owner %s by now, and the ownership module registers no owner that has any: one that delegates to a contract (EIP-7702) has to end that first", s.owner)
	case leg.deploys() || leg.Unchecked:
		return nil
	}
	switch owner, ok := state.OwnerAt(leg.Module); {
	case !ok:
		return fmt.Errorf("%w: account %s has no owner at module %s by now, which %s was; nothing was stored or sent", ErrWrongOwner, leg.Account, leg.Module, s.owner)
	case owner != s.owner:
		return fmt.Errorf("%w: account %s belongs to %s at module %s by now, not to %s; nothing was stored or sent: it is for that owner to have it prepared and to sign it", ErrWrongOwner, leg.Account, owner, leg.Module, s.owner)
	}
	return nil
}

// changedError says what is not any more as it was when the operation was prepared. It matches
// [session.ErrConflict], whose own text is about stores.
type changedError struct{ error }

func changed(format string, args ...any) error { return changedError{fmt.Errorf(format, args...)} }

// Is makes it match [session.ErrConflict].
func (e changedError) Is(target error) bool { return target == session.ErrConflict }

func (e changedError) Unwrap() error { return e.error }

// compareKeys returns an error matching [session.ErrConflict] if a session key was removed meanwhile: its
// session could never act.
func (s *submission) compareKeys(ctx context.Context) error {
	held, err := heldKeys(ctx, s.sess, s.leg.Keys)
	if err != nil {
		return err
	}
	for _, key := range s.leg.Keys {
		if !slices.Contains(held, key) {
			return changed("session key %s of %s was removed meanwhile", key, s.leg.ref())
		}
	}
	return nil
}

// draft is the draft of the operation as it was prepared.
func (s *submission) draft() *userop.Draft {
	draft := &userop.Draft{
		Sender:     s.leg.Account,
		Complete:   s.op,
		Signer:     s.client.underSwitch(fixedSignature{s.owner, s.op.Signature}, s.leg.Account, s.settings.always),
		Reserve:    s.client.nonceGiven(s.leg.Account, s.op.Nonce.Clone()),
		Identify:   s.client.identify,
		Caps:       s.client.capsFor(s.settings),
		BeforeSend: s.settings.beforeSend,
	}
	if signer, ok := draft.Signer.(*switched); ok {
		draft.Guard = signer.mayHandOut
	}
	if s.leg.Fee == nil { // whose paymaster was judged by its quote
		draft.Accept = s.client.checkSponsor
	}
	return draft
}

// fixedSignature is a signer that has signed already: the owner, elsewhere.
type fixedSignature struct {
	owner     common.Address
	signature []byte
}

// DummySignature implements [userop.Signer].
func (s fixedSignature) DummySignature(*userop.Operation) ([]byte, error) {
	return slices.Clone(s.signature), nil
}

// Sign implements [userop.Signer].
func (s fixedSignature) Sign(context.Context, *userop.Operation, common.Hash) ([]byte, error) {
	return slices.Clone(s.signature), nil
}
