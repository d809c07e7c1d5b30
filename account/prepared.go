package account

import (
	"fmt"
	"io"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/merkle"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/userop"
)

// Prepared is what waits for the owner's signature, which is made elsewhere, as in the wallet of a browser:
// one operation, or several on several chains that one signature is for, complete and priced, with what they
// are to do. [OwnedAccount.PrepareGrant] and its like make one, [Client.Submit] sends it, in any process.
//
// It is JSON in and out, and holds no secret. What comes back from a browser may be anything:
// [ParsePrepared] checks that it holds together, but that it is the one which was prepared only the
// application can tell. It keeps [Prepared.Hash] and the account, and Submit is given both by [Kept].
//
// Nobody waits for a Prepared, and nothing is stored for it: one that is not signed is thrown away. It is
// immutable, and safe for concurrent use.
type Prepared struct {
	// owner signs. until is the end, in unix seconds, after which the library takes no signature.
	owner common.Address
	until uint64
	legs  []preparedLeg
	// hash is of all of it. parsed says that it came back from somewhere.
	hash   common.Hash
	parsed bool
}

// preparedLeg is one operation of a [Prepared], and its form in JSON.
type preparedLeg struct {
	Kind      string            `json:"kind"`
	ChainID   uint64            `json:"chainID"`
	Account   common.Address    `json:"account"`
	Contracts preparedContracts `json:"contracts"`
	// Module is the ownership module that judges the signature. With Window it is the multichain module, and
	// the signature is over a tree of all legs, with that window.
	Module common.Address  `json:"module"`
	Window *preparedWindow `json:"window,omitempty"`
	// OpHash is the userOpHash of Operation, which has no signature.
	OpHash    common.Hash       `json:"userOpHash"`
	Operation preparedOperation `json:"operation"`
	// What the chain showed of the account when it was prepared: the session root, and the modules that it
	// listens to, none before it is deployed.
	ChainRoot common.Hash      `json:"chainRoot"`
	Modules   []common.Address `json:"modules,omitempty"`
	// Fee is the fee in tokens, nil for none.
	Fee *preparedFee `json:"fee,omitempty"`
	// Root is the change of the session root, nil for none, and Keys are the session keys that the store held
	// for it.
	Root *session.RootPlan `json:"root,omitempty"`
	Keys []common.Address  `json:"keys,omitempty"`
	// Asked is what was asked for, as a key of [Once] tells sends apart. Unchecked leaves the owner to the
	// chain.
	Asked     string `json:"asked,omitempty"`
	Unchecked bool   `json:"unchecked,omitempty"`

	// What is the same for all legs, and becomes that of the [Prepared].
	owner     common.Address
	signUntil uint64
}

// preparedContracts are the contracts that the operation was made for.
type preparedContracts struct {
	EntryPoint     common.Address `json:"entryPoint"`
	ECDSA          common.Address `json:"ecdsa"`
	Multichain     common.Address `json:"multichain"`
	TokenPaymaster common.Address `json:"tokenPaymaster"`
	Manager        common.Address `json:"sessionKeyManager"`
	Router         common.Address `json:"sessionRouter"`
	ABI            common.Address `json:"abiModule"`
	ERC20          common.Address `json:"erc20Module"`
}

func preparedContractsOf(c *Contracts) preparedContracts {
	return preparedContracts{
		EntryPoint: c.EntryPoint, ECDSA: c.ECDSA, Multichain: c.Multichain, TokenPaymaster: c.TokenPaymaster,
		Manager: c.Session.Manager, Router: c.Session.Router, ABI: c.Session.ABI, ERC20: c.Session.ERC20,
	}
}

func (c *preparedContracts) session() policy.Modules {
	return policy.Modules{Manager: c.Manager, Router: c.Router, ABI: c.ABI, ERC20: c.ERC20}
}

// preparedWindow is when the multichain module lets the operation be included: unix seconds, inclusive, 0 for
// no end.
type preparedWindow struct {
	Until uint64 `json:"until"`
	After uint64 `json:"after"`
}

// preparedFee is a fee that a token paymaster takes.
type preparedFee struct {
	Token common.Address `json:"token"`
	Max   *hexutil.U256  `json:"max"`
}

// Hash returns 32 bytes that stand for all of it, the sessions with their IDs too: what the application keeps
// to know it again, and gives to Submit by [Kept]. It is not what the wallet signs.
func (p *Prepared) Hash() common.Hash { return p.hash }

// Owner returns the address whose signature it waits for.
func (p *Prepared) Owner() common.Address { return p.owner }

// Ref returns the account that acts and its chain, of the first operation where there are several.
func (p *Prepared) Ref() session.Ref {
	if len(p.legs) == 0 {
		return session.Ref{}
	}
	return p.legs[0].ref()
}

// Deadline returns when Submit takes the signature at the latest, by the clock and by the chain's time: the
// end of [SignWithin], or that of a sponsorship or a window where it is earlier. Whether the chain would
// take it after that, [Prepared.Describe] tells.
func (p *Prepared) Deadline() time.Time {
	until := p.until
	for i := range p.legs {
		if end := p.legs[i].end(); end != 0 {
			until = min(until, end)
		}
	}
	return time.Unix(int64(until), 0).UTC()
}

// PreparedOperation is one operation of a [Prepared].
type PreparedOperation struct {
	// Kind is what it is for, such as "grant" or "send".
	Kind string
	Ref  session.Ref
	// UserOpHash is the hash that the operation is known by once it is sent.
	UserOpHash common.Hash
	// Operation is complete but for its signature. Its Nonce is the one that it was decided on.
	Operation *userop.Operation
	// Root is the session root on chain that it was decided on. NewRoot is the one that it sets, the same
	// where it sets none.
	Root, NewRoot common.Hash
	// Granted are the sessions that it grants: their IDs, keys and policies.
	Granted []session.Leaf
	// Until is the last moment at which the chain takes it; zero where nothing on chain is known to end it.
	Until time.Time
}

// Operations returns the operations, in the order of their legs.
func (p *Prepared) Operations() []PreparedOperation {
	all := make([]PreparedOperation, len(p.legs))
	for i := range p.legs {
		leg := &p.legs[i]
		o := PreparedOperation{
			Kind: leg.Kind, Ref: leg.ref(), UserOpHash: leg.OpHash, Operation: leg.operation(),
			Root: leg.ChainRoot, NewRoot: leg.ChainRoot,
		}
		if leg.Root != nil {
			o.NewRoot, o.Granted = leg.Root.Root, leg.Root.Clone().Grant
		}
		if end := leg.end(); end != 0 {
			o.Until = time.Unix(int64(end), 0).UTC()
		}
		all[i] = o
	}
	return all
}

// WalletRequest is a request for a wallet as EIP-1193 has it: marshalled to JSON it is what
// ethereum.request() takes.
type WalletRequest struct {
	// Method is "personal_sign".
	Method string `json:"method"`
	// Params are, for personal_sign, the 32 bytes in hex and the signer.
	Params []string `json:"params"`
	// Signer is the address that has to sign.
	Signer common.Address `json:"-"`
}

// Request returns what the wallet signs. The ownership modules take no typed data: it is 32 bytes by
// personal_sign, the userOpHash or the root of a tree over several, which a wallet shows as they are. What
// they do [Prepared.Describe] tells, and the user trusts the application for it.
func (p *Prepared) Request() WalletRequest {
	return WalletRequest{Method: "personal_sign", Params: []string{p.message().Hex(), p.owner.Hex()}, Signer: p.owner}
}

// message are the 32 bytes that are signed.
func (p *Prepared) message() common.Hash {
	switch {
	case len(p.legs) == 0:
		return common.Hash{}
	case p.legs[0].Window == nil:
		return p.legs[0].OpHash
	}
	return p.tree().Root()
}

// tree is the tree of the operations that one signature is for.
func (p *Prepared) tree() *merkle.Tree {
	leaves := make([]common.Hash, len(p.legs))
	for i := range p.legs {
		leg := &p.legs[i]
		leaves[i] = contracts.MultichainLeaf(leg.Window.Until, leg.Window.After, leg.OpHash)
	}
	return merkle.New(leaves)
}

// seal checks a new one, and works out its hash.
func (p *Prepared) seal() error {
	if err := p.check(); err != nil {
		return err
	}
	text, err := p.MarshalJSON()
	if err != nil {
		return err
	}
	p.hash = crypto.Keccak256Hash(text)
	return nil
}

// String says what it is in one line.
func (p Prepared) String() string {
	if len(p.legs) == 0 {
		return "nothing prepared"
	}
	kinds := make([]string, len(p.legs))
	for i := range p.legs {
		kinds[i] = fmt.Sprintf("%s of %s", p.legs[i].Kind, p.legs[i].ref())
	}
	return fmt.Sprintf("prepared %s: %v", p.hash, kinds)
}

// Format writes [Prepared.String] whatever the verb.
func (p Prepared) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }

func (l *preparedLeg) ref() session.Ref { return session.Ref{ChainID: l.ChainID, Account: l.Account} }

// operation returns a copy of the operation.
func (l *preparedLeg) operation() *userop.Operation { return l.Operation.operation() }

// end returns the last second, by the time of a block, at which the chain takes the operation: 0 where no end
// is known.
func (l *preparedLeg) end() uint64 {
	known := contracts.Deployed()
	known.TokenPaymaster = l.Contracts.TokenPaymaster
	packed := contracts.UserOperation(*l.operation())
	end := contracts.OperationEnd(&packed, &known)
	if l.Window != nil && l.Window.Until != 0 && (end == 0 || l.Window.Until < end) {
		end = l.Window.Until
	}
	return end
}

// calls are the calls that the account makes, in their order.
func (l *preparedLeg) calls() ([]Call, error) {
	if len(l.Operation.CallData) == 0 {
		return nil, nil
	}
	return contracts.DecodeExecute(l.Operation.CallData)
}

// deploys reports whether the operation deploys the account.
func (l *preparedLeg) deploys() bool { return len(l.Operation.InitCode) > 0 }

// paymaster is who pays, zero for the account itself.
func (l *preparedLeg) paymaster() common.Address {
	if data := l.Operation.PaymasterAndData; len(data) >= common.AddressLength {
		return common.BytesToAddress(data[:common.AddressLength])
	}
	return common.Address{}
}

// feeToken is the token that its paymaster takes, as is signed; zero for none that can be read.
func (l *preparedLeg) feeToken() common.Address {
	terms, err := contracts.DecodeTokenPaymasterData(l.Operation.PaymasterAndData)
	if err != nil {
		return common.Address{}
	}
	return terms.Token
}

// cost is what the operation costs at most, in wei.
func (l *preparedLeg) cost() *uint256.Int {
	total := l.operation().Estimate().Cost.Total()
	return &total
}

// keyAddresses are the keys of the sessions that it grants, each once.
func (l *preparedLeg) keyAddresses() (keys []common.Address) {
	if l.Root == nil {
		return nil
	}
	seen := make(map[common.Address]bool)
	for i := range l.Root.Grant {
		if key := l.Root.Grant[i].Key; !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	return keys
}
