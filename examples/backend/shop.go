package main

import (
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/account"
	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
)

// shop is what this application does for its users: it mints NFTs and tokens to their accounts. It is the
// part to replace.
type shop struct{ nft, token common.Address }

const (
	mintNFT   = "function safeMint(address to)"
	mintToken = "function mint(address to, uint256 amount)"
)

const (
	maxHours  = 24 * 30
	maxTokens = 1_000_000
	maxNFTs   = 5 // in one operation
)

// permission is what a user ticks.
type permission struct {
	// NFTs may be minted, Tokens whole tokens at most with each call, none for 0.
	NFTs   bool   `json:"nfts"`
	Tokens uint64 `json:"tokens"`
	// Together allows several calls in one operation.
	Together bool `json:"together"`
	Hours    int  `json:"hours"`
	// ReplaceRoot ends all sessions of the account that this application does not know.
	ReplaceRoot bool `json:"replaceRoot"`
}

// policies are the permission in the words of the library: each allows one function, to mint to the user's
// own account and nobody else's.
func (s *shop) policies(p *permission, key, user common.Address) ([]policy.Policy, error) {
	switch {
	case !p.NFTs && p.Tokens == 0:
		return nil, refusef(http.StatusBadRequest, "invalid", "nothing is to be allowed: NFTs, tokens, or both")
	case p.Tokens > maxTokens:
		return nil, refusef(http.StatusBadRequest, "invalid", "%d tokens with each call; %d at most", p.Tokens, maxTokens)
	case p.Hours < 1 || p.Hours > maxHours:
		return nil, refusef(http.StatusBadRequest, "invalid", "for %d hours; 1 to %d can be", p.Hours, maxHours)
	}
	window := policy.Until(time.Now().Add(time.Duration(p.Hours) * time.Hour))
	name := strings.ToLower(key.Hex()[2:10])
	var all []policy.Policy
	if p.NFTs {
		all = append(all, session.Named("nft-"+name, policy.ABI{
			Key: key, Contract: s.nft, Function: mintNFT, Window: window,
			Rules: []policy.Rule{policy.Arg("to", policy.Equal, user)},
		}))
	}
	if p.Tokens > 0 {
		all = append(all, session.Named("token-"+name, policy.ABI{
			Key: key, Contract: s.token, Function: mintToken, Window: window,
			Rules: []policy.Rule{policy.Arg("to", policy.Equal, user), policy.Arg("amount", policy.LessThanOrEqual, wei(p.Tokens))},
		}))
	}
	return all, nil
}

// options are how the grant is sent: the application pays.
func (p *permission) options() []account.Option {
	opts := []account.Option{account.Sponsored()}
	if p.Together {
		opts = append(opts, account.ForBatches())
	}
	if p.ReplaceRoot {
		opts = append(opts, account.ReplaceRoot())
	}
	return opts
}

// order is what a user has minted, in one operation.
type order struct {
	NFTs   int    `json:"nfts"`
	Tokens uint64 `json:"tokens"`
}

// calls are what the account has to call for an order.
func (s *shop) calls(o *order, user common.Address) (calls []account.Call, err error) {
	if o.NFTs < 0 || o.NFTs > maxNFTs || o.Tokens > 10*maxTokens || o.NFTs == 0 && o.Tokens == 0 {
		return nil, refusef(http.StatusBadRequest, "invalid", "%d NFTs and %d tokens; up to %d NFTs can be, and not nothing", o.NFTs, o.Tokens, maxNFTs)
	}
	for range o.NFTs {
		data, err := abi.Pack(mintNFT, user)
		if err != nil {
			return nil, err
		}
		calls = append(calls, account.Call{To: s.nft, Data: data})
	}
	if o.Tokens > 0 {
		data, err := abi.Pack(mintToken, user, wei(o.Tokens))
		if err != nil {
			return nil, err
		}
		calls = append(calls, account.Call{To: s.token, Data: data})
	}
	return calls, nil
}

// contractOf is the contract that a session is for, zero where that cannot be read.
func contractOf(leaf *session.Leaf, m policy.Modules) common.Address {
	read, err := leaf.Policy(m)
	if p, ok := read.(policy.ABI); ok && err == nil {
		return p.Contract
	}
	return common.Address{}
}

// what says in a word what a session is for.
func (s *shop) what(leaf *session.Leaf, m policy.Modules) string {
	switch contractOf(leaf, m) {
	case s.nft:
		return "nft"
	case s.token:
		return "token"
	}
	return "other"
}

// leavesFor are the sessions of a key that are for the calls, in their order.
func leavesFor(calls []account.Call, sess *session.Sessions, leaves []session.Leaf, m policy.Modules) ([]session.LeafRef, error) {
	refs := make([]session.LeafRef, len(calls))
	for i := range calls {
		at := slices.IndexFunc(leaves, func(l session.Leaf) bool { return contractOf(&l, m) == calls[i].To })
		if at < 0 {
			return nil, refusef(http.StatusForbidden, "not_allowed", "this session may not call %s", calls[i].To)
		}
		refs[i] = sess.ByID(leaves[at].ID)
	}
	return refs, nil
}

// words say what an operation of an order did.
func (s *shop) words(calls []account.Call) string {
	nfts, others := 0, []string(nil)
	for i := range calls {
		switch calls[i].To {
		case s.nft:
			nfts++
		case s.token:
			others = append(others, tokenWords(calls[i].Data))
		default:
			others = append(others, "a call of "+calls[i].To.Hex())
		}
	}
	switch {
	case nfts == 1:
		others = slices.Insert(others, 0, "an NFT")
	case nfts > 1:
		others = slices.Insert(others, 0, fmt.Sprintf("%d NFTs", nfts))
	}
	return strings.Join(others, " and ")
}

func tokenWords(data []byte) string {
	args, err := abi.Unpack(mintToken, data)
	if err != nil {
		return "a call of the token"
	}
	whole := new(big.Int).Div(args[1].(*big.Int), big.NewInt(1e18))
	return whole.String() + " tokens"
}

// wei is an amount of whole tokens in the smallest unit.
func wei(tokens uint64) *uint256.Int {
	return new(uint256.Int).Mul(uint256.NewInt(tokens), uint256.NewInt(1e18))
}
