package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/policy"
	"github.com/go-sesame/sesame/session/seal"
)

// service holds session keys and signs with them for whoever shows the token.
type service struct {
	keys  session.Keyring
	token string
	// aead opens keys that are imported; nil takes none.
	aead seal.AEAD
	// rules are asked before a signature is made; the first that says no refuses it.
	rules []rule
}

func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	for path, do := range map[string]func(context.Context, *request) (answer, error){
		pathNew:    s.new,
		pathImport: s.importKey,
		pathList:   s.list,
		pathSign:   s.sign,
		pathRemove: s.remove,
	} {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, do) })
	}
	return mux
}

func (s *service) serve(w http.ResponseWriter, r *http.Request, do func(context.Context, *request) (answer, error)) {
	if !s.authorized(r) {
		write(w, http.StatusUnauthorized, refusal{codeUnauthorized, "wrong token"})
		return
	}
	var req request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&req); err != nil {
		write(w, http.StatusBadRequest, refusal{codeInvalid, "the request cannot be read: " + err.Error()})
		return
	}
	result, err := do(r.Context(), &req)
	if err != nil {
		status, no := refuse(err)
		write(w, status, no)
		return
	}
	write(w, http.StatusOK, result)
}

// authorized compares hashes, so that the time it takes tells nothing of the token.
func (s *service) authorized(r *http.Request) bool {
	want, have := sha256.Sum256([]byte("Bearer "+s.token)), sha256.Sum256([]byte(r.Header.Get("Authorization")))
	return s.token != "" && subtle.ConstantTimeCompare(want[:], have[:]) == 1
}

// refuse says what the caller may know of an error.
func refuse(err error) (status int, no refusal) {
	switch {
	case errors.Is(err, session.ErrNoKey):
		return http.StatusNotFound, refusal{codeNoKey, err.Error()}
	case errors.Is(err, policy.ErrInvalid), errors.Is(err, seal.ErrOpen):
		return http.StatusBadRequest, refusal{codeInvalid, strings.TrimPrefix(err.Error(), policy.ErrInvalid.Error()+": ")}
	case errors.Is(err, ErrRefused):
		return http.StatusForbidden, refusal{codeRefused, strings.TrimPrefix(err.Error(), ErrRefused.Error()+": ")}
	}
	return http.StatusInternalServerError, refusal{codeFailed, "the signer could not do it"}
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever does not listen any more need not be told
}

func (s *service) new(ctx context.Context, r *request) (a answer, err error) {
	a.Key, err = s.keys.NewKey(ctx, r.ref())
	return a, err
}

func (s *service) importKey(ctx context.Context, r *request) (a answer, err error) {
	if s.aead == nil {
		return a, fmt.Errorf("%w: this signer makes its keys itself", ErrRefused)
	}
	key, err := seal.OpenKey(s.aead, r.Sealed, seal.AssociatedData(r.ChainID, r.Account, r.Key), r.Key)
	if err != nil {
		return a, err
	}
	defer key.Wipe()
	err = key.Expose(func(secret []byte) error {
		private, err := crypto.ToECDSA(secret)
		if err != nil {
			return seal.ErrNotAKey
		}
		a.Key, err = s.keys.ImportKey(ctx, r.ref(), private)
		return err
	})
	return a, err
}

func (s *service) list(ctx context.Context, r *request) (a answer, err error) {
	a.Keys, err = s.keys.Keys(ctx, r.ref())
	return a, err
}

func (s *service) sign(ctx context.Context, r *request) (a answer, err error) {
	req := session.SignRequest{Ref: r.ref(), Key: r.Key, Digest: r.Digest, UserOpHash: r.UserOpHash, Operation: r.Operation}
	for _, allows := range s.rules {
		if err := allows(&req); err != nil {
			return a, fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	a.Signature, err = s.keys.SignDigest(ctx, req)
	return a, err
}

func (s *service) remove(ctx context.Context, r *request) (a answer, err error) {
	return a, s.keys.RemoveKey(ctx, r.ref(), r.Key)
}
