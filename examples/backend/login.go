package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
)

const (
	// signInWithin is how long a user may take to sign in, loginLasts how long a login is good for.
	signInWithin = 5 * time.Minute
	loginLasts   = 12 * time.Hour
)

// The two cookies: the text that is being signed, and the login that comes of it.
const (
	textCookie  = "sesame-sign-in"
	loginCookie = "sesame-login"
)

// login says who a user is. It keeps nothing: what it has to know again it gives away under a stamp which
// only it, and the other processes with its secret, can make. So any of them takes any request, also after a
// restart. To end all logins at once, change the secret; to end single ones, keep them in a table.
type login struct {
	secret  []byte
	origin  *url.URL
	chainID uint64
	now     func() time.Time
}

// newLogin makes a secret of its own where there is none.
func newLogin(secret string, origin *url.URL, chainID uint64) (login, error) {
	l := login{secret: []byte(secret), origin: origin, chainID: chainID, now: time.Now}
	if secret == "" {
		l.secret = make([]byte, minSecret)
		if _, err := rand.Read(l.secret); err != nil {
			return login{}, err
		}
	}
	return l, nil
}

// stamped is what a stamp vouches for: for one purpose, until then.
type stamped struct {
	For   string    `json:"for"`
	Until time.Time `json:"until"`
	Text  string    `json:"text"`
}

// stamp returns the text in a form that nobody else can make.
func (l *login) stamp(purpose, text string, until time.Time) string {
	content, err := json.Marshal(stamped{purpose, until.UTC(), text})
	if err != nil {
		panic(err) // two strings and a time
	}
	return base64.RawURLEncoding.EncodeToString(append(l.mac(content), content...))
}

var errStamp = errors.New("it was not made here, or is too old")

// unstamp returns a text that was stamped for the purpose.
func (l *login) unstamp(purpose, token string) (string, error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < sha256.Size || !hmac.Equal(raw[:sha256.Size], l.mac(raw[sha256.Size:])) {
		return "", errStamp
	}
	var s stamped
	if err := json.Unmarshal(raw[sha256.Size:], &s); err != nil || s.For != purpose || !l.now().Before(s.Until) {
		return "", errStamp
	}
	return s.Text, nil
}

// mac is of this service alone: another one may have the same secret, such as that of another chain.
func (l *login) mac(content []byte) []byte {
	h := hmac.New(sha256.New, l.secret)
	fmt.Fprintf(h, "%s %d\n", l.origin, l.chainID)
	h.Write(content)
	return h.Sum(nil)
}

// cookieName keeps other hosts from setting a cookie, such as one of a subdomain: browsers see to it by the
// name, over https.
func (l *login) cookieName(name string) string {
	if l.origin.Scheme == "https" {
		return "__Host-" + name
	}
	return name
}

// cookie is one that scripts cannot read and other sites cannot have sent.
func (l *login) cookie(name, value string, lasts time.Duration) *http.Cookie {
	c := &http.Cookie{
		Name: l.cookieName(name), Value: value, Path: "/", MaxAge: int(lasts / time.Second),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: l.origin.Scheme == "https",
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// text is what a user signs to sign in, as EIP-4361 has it. Wallets compare the domain with the page's.
func (l *login) text(owner common.Address, nonce string) string {
	now := l.now().UTC().Truncate(time.Second)
	return fmt.Sprintf(`%s wants you to sign in with your Ethereum account:
%s

Sign in to see and to change what this application may do for you. This sends nothing and costs nothing.

URI: %s
Version: 1
Chain ID: %d
Nonce: %s
Issued At: %s
Expiration Time: %s`, l.origin.Host, owner, l.origin, l.chainID, nonce, now.Format(time.RFC3339), now.Add(signInWithin).Format(time.RFC3339))
}

type textRequest struct {
	Address common.Address `json:"address"`
}

type textAnswer struct {
	Text string `json:"text"`
}

// begin answers with the text to sign. It is in a cookie, too: the signature is good in this browser only,
// for as long as the text is. That nobody can sign in with both a second time takes a table of nonces.
func (l *login) begin(w http.ResponseWriter, _ *http.Request, in *textRequest) (*textAnswer, error) {
	if in.Address == (common.Address{}) {
		return nil, refusef(http.StatusBadRequest, "invalid", "no address to sign in with")
	}
	text := l.text(in.Address, rand.Text())
	kept := in.Address.Hex() + text
	http.SetCookie(w, l.cookie(textCookie, l.stamp(textCookie, kept, l.now().Add(signInWithin)), signInWithin))
	return &textAnswer{text}, nil
}

type signInRequest struct {
	Signature hexutil.Bytes `json:"signature"`
}

// finish takes the signature of the text. The signer has to have a key: wallets that are contracts are asked
// on chain (ERC-1271), which this example leaves out.
func (l *login) finish(w http.ResponseWriter, r *http.Request, in *signInRequest) (*struct{}, error) {
	cookie, err := r.Cookie(l.cookieName(textCookie))
	if err != nil {
		return nil, refusef(http.StatusUnauthorized, "sign_in", "the text to sign is not there; ask for another one")
	}
	kept, err := l.unstamp(textCookie, cookie.Value)
	if err != nil {
		return nil, refusef(http.StatusUnauthorized, "sign_in", "the text to sign: %v; ask for another one", err)
	}
	addressLen := len(common.Address{}.Hex())
	owner, text := common.HexToAddress(kept[:addressLen]), kept[addressLen:]
	signer, err := signerOf(text, in.Signature)
	if err != nil {
		return nil, refusef(http.StatusBadRequest, "signature", "that is no signature: %v", err)
	}
	if signer != owner {
		return nil, refusef(http.StatusForbidden, "wrong_wallet", "%s signed, not %s: choose that account in the wallet", signer, owner)
	}
	http.SetCookie(w, l.cookie(textCookie, "", 0)) // the browser has no more use for it
	http.SetCookie(w, l.cookie(loginCookie, l.stamp(loginCookie, owner.Hex(), l.now().Add(loginLasts)), loginLasts))
	return &struct{}{}, nil
}

// signerOf returns whose personal_sign of the text it is.
func signerOf(text string, signature []byte) (common.Address, error) {
	if len(signature) != crypto.SignatureLength {
		return common.Address{}, fmt.Errorf("it has %d bytes, not %d", len(signature), crypto.SignatureLength)
	}
	sig := append([]byte(nil), signature...)
	if sig[64] >= 27 { // wallets add it, geth's recovery does not
		sig[64] -= 27
	}
	key, err := crypto.SigToPub(accounts.TextHash([]byte(text)), sig)
	if err != nil {
		return common.Address{}, err
	}
	return crypto.PubkeyToAddress(*key), nil
}

// end signs out.
func (l *login) end(w http.ResponseWriter, _ *http.Request, _ *struct{}) (*struct{}, error) {
	http.SetCookie(w, l.cookie(loginCookie, "", 0))
	return &struct{}{}, nil
}

// owner is who is signed in.
func (l *login) owner(r *http.Request) (common.Address, error) {
	cookie, err := r.Cookie(l.cookieName(loginCookie))
	if err == nil {
		var text string
		if text, err = l.unstamp(loginCookie, cookie.Value); err == nil {
			return common.HexToAddress(text), nil
		}
	}
	return common.Address{}, refusef(http.StatusUnauthorized, "sign_in", "sign in first")
}
