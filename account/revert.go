package account

import (
	"errors"
	"net/url"
	"strings"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/go-sesame/sesame/abi"
	"github.com/go-sesame/sesame/internal/contracts"
)

// revertOf returns what a call reverted with, if the error is a node's answer that it did.
func revertOf(err error) (abi.Revert, bool) {
	var withData interface{ ErrorData() any }
	if errors.As(err, &withData) {
		if text, ok := withData.ErrorData().(string); ok {
			data, err := hexutil.Decode(strings.TrimPrefix(text, "Reverted "))
			if err == nil {
				return contracts.DecodeRevert(data), true
			}
		}
	}
	// A node's words for a revert without data differ; the URL of one that is out of reach may be any.
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	return abi.Revert{}, strings.Contains(strings.ToLower(err.Error()), "revert")
}
