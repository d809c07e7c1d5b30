package main

import (
	"context"
	"errors"
	"net/url"

	"github.com/ethereum/go-ethereum/rpc"

	"github.com/go-sesame/sesame/session"
	"github.com/go-sesame/sesame/session/filestore"
	"github.com/go-sesame/sesame/session/seal"
	"github.com/go-sesame/sesame/session/tsstore"
)

// keyless is an error of a node that was asked directly, without its URL or what its answer quotes.
func keyless(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	if failed, ok := errors.AsType[rpc.HTTPError](err); ok {
		return errors.New(failed.Status)
	}
	return err
}

// wayOut is what to do at the command line about an error of the library, empty where that is not known.
func wayOut(err error) string {
	for _, known := range []struct {
		err error
		way string
	}{
		{filestore.ErrInUse, "; stop that process, or have it do this itself: a directory has one writer, a database any number"},
		{seal.ErrNoSealer, "; name the file of the secret with -seal"},
		{seal.ErrOpen, "; is -seal the secret that the keys were sealed with?"},
		{session.ErrPending, "; sesame reconcile settles what waits for the chain"},
		{context.DeadlineExceeded, "; -timeout gives it longer"},
	} {
		if errors.Is(err, known.err) {
			return known.way
		}
	}
	if _, refused := errors.AsType[*tsstore.RefusedError](err); refused {
		return "; what says RepeatLeaves and RootOfLeaves is -repeat-leaves and -root-of-leaves here"
	}
	return ""
}

// isNoSealer reports whether a store keeps keys that it was not given the secret of.
func isNoSealer(err error) bool { return errors.Is(err, seal.ErrNoSealer) }
