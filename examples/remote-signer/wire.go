package main

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/userop"
)

// The calls of the signer, each a POST of a request to its path.
const (
	pathNew    = "/v1/new"
	pathImport = "/v1/import"
	pathList   = "/v1/list"
	pathSign   = "/v1/sign"
	pathRemove = "/v1/remove"
)

// maxBody bounds a request or an answer in bytes: an operation that a node would take fits well.
const maxBody = 1 << 20

// request is the body of every call; a call reads the fields it needs.
type request struct {
	ChainID    uint64            `json:"chainID"`
	Account    common.Address    `json:"account"`
	Key        common.Address    `json:"key,omitzero"`
	Digest     common.Hash       `json:"digest,omitzero"`
	UserOpHash common.Hash       `json:"userOpHash,omitzero"`
	Operation  *userop.Operation `json:"operation,omitempty"`
	// Sealed is a key to import. No key is ever on the wire in clear.
	Sealed hexutil.Bytes `json:"sealed,omitempty"`
}

func (r *request) ref() session.Ref { return session.Ref{ChainID: r.ChainID, Account: r.Account} }

// answer is the body of what went well.
type answer struct {
	Key       common.Address   `json:"key,omitzero"`
	Keys      []common.Address `json:"keys,omitempty"`
	Signature hexutil.Bytes    `json:"signature,omitempty"`
}

// refusal is the body of what did not.
type refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// The codes of a refusal.
const (
	codeNoKey        = "no_key"
	codeInvalid      = "invalid"
	codeRefused      = "refused"
	codeUnauthorized = "unauthorized"
	codeFailed       = "failed"
)
