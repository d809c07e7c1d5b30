package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/internal/localhttp"
)

// wallet has the owners' keys, which no worker has, and makes the session keys, so that it is known what
// must not leak.
type wallet struct {
	owners  map[common.Address]*ecdsa.PrivateKey
	secrets *secrets
	server  *localhttp.Server
}

// startWallet makes a wallet of so many owners.
func startWallet(owners int, secrets *secrets) (*wallet, error) {
	w := &wallet{owners: make(map[common.Address]*ecdsa.PrivateKey), secrets: secrets}
	for len(w.owners) < owners {
		key, err := crypto.GenerateKey()
		if err != nil {
			return nil, err
		}
		address := crypto.PubkeyToAddress(key.PublicKey)
		w.owners[address] = key
		secrets.addKey("the key of owner "+address.Hex(), crypto.FromECDSA(key))
	}
	routes := http.NewServeMux()
	routes.HandleFunc("POST /sign", w.sign)
	routes.HandleFunc("POST /key", w.newKey)
	server, err := localhttp.Serve(routes, 0)
	w.server = server
	return w, err
}

// signRequest asks for the owner's signature of a message.
type signRequest struct {
	Owner   common.Address
	Message hexutil.Bytes
}

func (w *wallet) sign(answer http.ResponseWriter, r *http.Request) {
	var request signRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(answer, "what is to be signed?", http.StatusBadRequest)
		return
	}
	key := w.owners[request.Owner]
	if key == nil {
		http.Error(answer, "no such owner", http.StatusNotFound)
		return
	}
	signature, err := crypto.Sign(accounts.TextHash(request.Message), key)
	if err != nil {
		http.Error(answer, "no signature", http.StatusInternalServerError)
		return
	}
	signature[crypto.RecoveryIDOffset] += 27
	_ = json.NewEncoder(answer).Encode(hexutil.Bytes(signature))
}

func (w *wallet) newKey(answer http.ResponseWriter, _ *http.Request) {
	key, err := crypto.GenerateKey()
	if err != nil {
		http.Error(answer, "no key", http.StatusInternalServerError)
		return
	}
	secret := crypto.FromECDSA(key)
	w.secrets.addKey("session key "+crypto.PubkeyToAddress(key.PublicKey).Hex(), secret)
	_ = json.NewEncoder(answer).Encode(hexutil.Bytes(secret))
}

func (w *wallet) close() error { return w.server.Shutdown() }

// remoteOwner is an owner whose key is in the wallet.
type remoteOwner struct {
	wallet  *walletClient
	address common.Address
}

func (o remoteOwner) Address() common.Address { return o.address }

func (o remoteOwner) SignMessage(ctx context.Context, message []byte) ([]byte, error) {
	var signature hexutil.Bytes
	err := o.wallet.ask(ctx, "/sign", signRequest{o.address, message}, &signature)
	return signature, err
}

// walletClient asks the wallet.
type walletClient struct {
	url    string
	client http.Client
}

func (c *walletClient) newKey(ctx context.Context) (*ecdsa.PrivateKey, error) {
	var secret hexutil.Bytes
	if err := c.ask(ctx, "/key", nil, &secret); err != nil {
		return nil, err
	}
	defer clear(secret)
	return crypto.ToECDSA(secret)
}

func (c *walletClient) ask(ctx context.Context, path string, question, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("wallet: HTTP status %d", response.StatusCode)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}
