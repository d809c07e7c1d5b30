package main

import (
	"context"
	"embed"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/go-sesame/sesame/internal/npm"
	"github.com/go-sesame/sesame/session"
)

//go:embed source/package.json source/package-lock.json source/.npmrc source/bench.mjs
var source embed.FS

// sdkBuild says what to install, and where.
func sdkBuild() (*npm.Build, error) {
	files, err := fs.Sub(source, "source")
	if err != nil {
		return nil, err
	}
	dir, err := npm.Place("bench", files)
	if err != nil {
		return nil, err
	}
	return &npm.Build{
		Name: "bench", Purpose: "measure the reference SDK", Dir: dir, Source: files, Stderr: os.Stderr,
		Complete: func(dir string) bool {
			_, err := os.Stat(filepath.Join(dir, "node_modules/@biconomy/account/package.json"))
			return err == nil
		},
	}, nil
}

// removeSDK removes all that was ever installed.
func removeSDK() error {
	b, err := sdkBuild()
	if err != nil {
		return err
	}
	return b.Remove()
}

// startSDK starts the reference SDK, @biconomy/account, as a child that asks the services at that URL. It is
// installed before, if it is not there.
func startSDK(ctx context.Context, services string) (*child, error) {
	b, err := sdkBuild()
	if err != nil {
		return nil, err
	}
	if err := b.Run(ctx); err != nil {
		return nil, err
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(map[string]any{"chainId": chainID, "services": services, "key": hexutil.Encode(crypto.FromECDSA(sessionKey()))})
	if err != nil {
		return nil, err
	}
	return startChild(ctx, "reference SDK", node, filepath.Join(b.Dir, "bench.mjs"), string(config))
}

// sdkLeaf is a session as the SDK keeps it.
type sdkLeaf struct {
	SessionID               string         `json:"sessionID"`
	Status                  string         `json:"status"`
	ValidUntil              uint64         `json:"validUntil"`
	ValidAfter              uint64         `json:"validAfter"`
	SessionValidationModule common.Address `json:"sessionValidationModule"`
	SessionPublicKey        common.Address `json:"sessionPublicKey"`
	SessionKeyData          hexutil.Bytes  `json:"sessionKeyData"`
}

// writeSDKFile writes sessions as the SDK keeps them, for an account, and returns the file.
func writeSDKFile(dir string, account common.Address, all []session.Leaf, root common.Hash) (string, error) {
	nodes := make([]sdkLeaf, len(all))
	for i := range all {
		l := &all[i]
		nodes[i] = sdkLeaf{l.ID, "ACTIVE", l.ValidUntil, l.ValidAfter, l.Module, l.Key, l.Data}
	}
	text, err := json.Marshal(map[string]any{"merkleRoot": root, "leafNodes": nodes})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, hexutil.Encode(account[:])+"_sessions.json")
	return file, os.WriteFile(file, text, 0o600)
}
