package paymaster

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"

	"github.com/go-sesame/sesame/internal/jsonobject"
	"github.com/go-sesame/sesame/internal/quantity"
	"github.com/go-sesame/sesame/userop"
)

// sponsorship is the answer of a service that sponsors, or that says it does not.
type sponsorship userop.Sponsorship

// UnmarshalJSON reads a sponsorship; the gas limits may be hex, decimal strings or numbers, or missing.
func (s *sponsorship) UnmarshalJSON(data []byte) error {
	obj, err := jsonobject.Parse(data)
	if err != nil {
		return err
	}
	var (
		paymasterAndData                hexutil.Bytes
		call, verification, preVerified *quantity.Quantity
	)
	obj.Optional("paymasterAndData", &paymasterAndData)
	obj.Optional("callGasLimit", &call)
	obj.Optional("verificationGasLimit", &verification)
	obj.Optional("preVerificationGas", &preVerified)
	if err := obj.Err(); err != nil {
		return err
	}
	*s = sponsorship{
		PaymasterAndData:     paymasterAndData,
		CallGasLimit:         (*uint256.Int)(call),
		VerificationGasLimit: (*uint256.Int)(verification),
		PreVerificationGas:   (*uint256.Int)(preVerified),
	}
	return nil
}

// checked returns the sponsorship, or an error where it is none.
func (s sponsorship) checked() (userop.Sponsorship, error) {
	if err := checkData(s.PaymasterAndData); err != nil {
		return userop.Sponsorship{}, err
	}
	return userop.Sponsorship(s), nil
}

// checkData refuses paymasterAndData that sponsors nothing.
func checkData(paymasterAndData []byte) error {
	switch n := len(paymasterAndData); {
	case n == 0:
		return fmt.Errorf("paymaster: %w: the service answered with an empty paymasterAndData; check that one of its policies covers this call and that it is funded", userop.ErrNotSponsored)
	case n < common.AddressLength:
		return fmt.Errorf("paymaster: %w: the service answered with a paymasterAndData of %d bytes, which is shorter than an address", userop.ErrNotSponsored, n)
	case common.BytesToAddress(paymasterAndData[:common.AddressLength]) == (common.Address{}):
		return fmt.Errorf("paymaster: %w: the service answered with the zero address for a paymaster, so that the account would pay", userop.ErrNotSponsored)
	}
	return nil
}
