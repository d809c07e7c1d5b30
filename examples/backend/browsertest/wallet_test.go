package browsertest

import (
	"context"
	"crypto/ecdsa"
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
)

//go:embed wallet.js
var walletScript string

// request is what the page asks the wallet, answer what that answers: a result, or the code of an error.
type (
	request struct {
		Method string   `json:"method"`
		Params []string `json:"params"`
	}
	answer struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Result  any    `json:"result"`
	}
)

// signs is what a wallet does when it is to sign an operation.
type signs func(ctx context.Context, message []byte) answer

// wallet is that of a user: it has the key.
type wallet struct {
	key *ecdsa.PrivateKey

	mu sync.Mutex
	// does is what becomes of a request to sign an operation, and asked how many there were.
	does  signs
	asked int
}

func newWallet(key *ecdsa.PrivateKey) *wallet { return &wallet{key: key, does: signedBy(key)} }

// ask answers the page.
func (w *wallet) ask(ctx context.Context, r request) (answer, error) {
	address := crypto.PubkeyToAddress(w.key.PublicKey).Hex()
	switch {
	case r.Method == "eth_requestAccounts":
		return answer{Result: []string{address}}, nil
	case r.Method != "personal_sign" || len(r.Params) != 2 || !strings.EqualFold(r.Params[1], address):
		return answer{}, fmt.Errorf("the page asks the wallet for %+v", r)
	}
	message, err := hexutil.Decode(r.Params[0])
	if err != nil {
		return answer{}, err
	}
	if len(message) != 32 { // a text, to sign in
		return signedBy(w.key)(ctx, message), nil
	}
	w.mu.Lock()
	w.asked++
	does := w.does
	w.mu.Unlock()
	return does(ctx, message), nil
}

// will says what becomes of requests to sign operations from now on.
func (w *wallet) will(does signs) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.does = does
}

// times is how often it was asked to sign an operation.
func (w *wallet) times() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

// signedBy signs with a key.
func signedBy(key *ecdsa.PrivateKey) signs {
	return func(_ context.Context, message []byte) answer {
		signature, err := crypto.Sign(accounts.TextHash(message), key)
		if err != nil {
			return answer{Code: -32000, Message: err.Error()}
		}
		signature[64] += 27 // as wallets do
		return answer{Result: hexutil.Encode(signature)}
	}
}

// refused is the user's no.
func refused(context.Context, []byte) answer {
	return answer{Code: 4001, Message: "User rejected the request."}
}

// held signs once it is let go, and tells when it is asked.
func held(does signs) (asked chan struct{}, letGo chan struct{}, _ signs) {
	asked, letGo = make(chan struct{}, 8), make(chan struct{})
	return asked, letGo, func(ctx context.Context, message []byte) answer {
		asked <- struct{}{}
		select {
		case <-letGo:
		case <-ctx.Done():
		}
		return does(ctx, message)
	}
}
