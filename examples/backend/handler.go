package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"mime"
	"net/http"

	"github.com/go-sesame/sesame/account"
)

// maxBody bounds a request in bytes: what is prepared for a user with hundreds of sessions fits well.
const maxBody = 256 << 10

//go:embed page
var page embed.FS

// handler is the page and the API.
func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // it is embedded
	}
	mux.Handle("GET /", http.FileServerFS(files))

	mux.HandleFunc("POST /api/sign-in/text", public(s, s.login.begin))
	mux.HandleFunc("POST /api/sign-in", public(s, s.login.finish))
	mux.HandleFunc("POST /api/sign-out", public(s, s.login.end))

	mux.HandleFunc("GET /api/me", owned(s, s.me))
	mux.HandleFunc("GET /api/sessions", owned(s, s.list))
	mux.HandleFunc("POST /api/sessions", owned(s, s.create))
	mux.HandleFunc("POST /api/submit", owned(s, s.submit))
	mux.HandleFunc("POST /api/sessions/{key}/act", owned(s, s.act))
	mux.HandleFunc("POST /api/sessions/{key}/suspend", owned(s, s.suspend))
	mux.HandleFunc("POST /api/sessions/{key}/revoke", owned(s, s.revoke))
	unknown := func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, refusef(http.StatusNotFound, "not_found", "there is no such call"))
	}
	mux.HandleFunc("GET /api/", unknown)
	mux.HandleFunc("POST /api/", unknown)
	return s.probes(s.guard(mux))
}

// guard is before all but the probes: it refuses what another site's page has sent, or what was sent to
// another name (DNS rebinding), and tells the browser to load and run nothing but what comes from here.
func (s *service) guard(next http.Handler) http.Handler {
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.refuse(w, nil, refusef(http.StatusForbidden, "other_site", "the request comes from another site"))
	}))
	next = protection.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy":    policy,
			"X-Content-Type-Options":     "nosniff",
			"X-Frame-Options":            "DENY",
			"Referrer-Policy":            "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin",
			"Cache-Control":              "no-store",
		} {
			w.Header().Set(name, value)
		}
		if r.Host != s.login.origin.Host {
			s.refuse(w, r, refusef(http.StatusMisdirectedRequest, "other_host", "this is %s, and answers under that name alone", s.login.origin))
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), longestRequest)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// public is a call that anybody may make.
func public[In, Out any](s *service, do func(http.ResponseWriter, *http.Request, *In) (*Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var out *Out
		in, err := read[In](w, r)
		if err == nil {
			out, err = do(w, r, in)
		}
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		write(w, http.StatusOK, out)
	}
}

// owned is a call for the account of who is signed in: it is all that the call gets to see, so that there is
// no other one to ask for.
func owned[In, Out any](s *service, do func(*http.Request, *account.OwnedAccount, *In) (*Out, error)) http.HandlerFunc {
	return public(s, func(_ http.ResponseWriter, r *http.Request, in *In) (*Out, error) {
		owner, err := s.login.owner(r)
		if err != nil {
			return nil, err
		}
		return do(r, s.client.OwnedAccount(account.OwnerAddress(owner)), in)
	})
}

// read reads the body of a request: one JSON object with known fields, declared as such, which no form of
// another site's can be.
func read[In any](w http.ResponseWriter, r *http.Request) (*In, error) {
	in := new(In)
	if r.Method == http.MethodGet {
		return in, nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, refusef(http.StatusUnsupportedMediaType, "content_type", "the body has to be application/json")
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(in)
	if err == nil {
		if _, err = decoder.Token(); err == nil {
			err = errors.New("something comes after it")
		}
	}
	if tooLong, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, refusef(http.StatusRequestEntityTooLarge, "too_long", "the body has more than %d bytes", tooLong.Limit)
	}
	if !errors.Is(err, io.EOF) {
		return nil, refusef(http.StatusBadRequest, "invalid", "the body cannot be read: %v", err)
	}
	return in, nil
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever does not listen any more need not be told
}
