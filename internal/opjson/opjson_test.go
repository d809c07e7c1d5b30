package opjson_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/contracts"
	"github.com/go-sesame/sesame/internal/opjson"
)

// plain is an operation as encoding/json writes it.
type plain struct {
	Sender               string        `json:"sender"`
	Nonce                string        `json:"nonce"`
	InitCode             hexutil.Bytes `json:"initCode"`
	CallData             hexutil.Bytes `json:"callData"`
	CallGasLimit         *string       `json:"callGasLimit,omitempty"`
	VerificationGasLimit *string       `json:"verificationGasLimit,omitempty"`
	PreVerificationGas   *string       `json:"preVerificationGas,omitempty"`
	MaxFeePerGas         string        `json:"maxFeePerGas"`
	MaxPriorityFeePerGas string        `json:"maxPriorityFeePerGas"`
	PaymasterAndData     hexutil.Bytes `json:"paymasterAndData"`
	Signature            hexutil.Bytes `json:"signature"`
}

func TestAnOperationIsWrittenAsEncodingJSONDoes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	number := func() (v uint256.Int) {
		for i := range v {
			v[i] = random.Uint64()
		}
		return *v.Rsh(&v, uint(random.IntN(257)))
	}
	some := func() []byte {
		b := make([]byte, random.IntN(80))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	for range 2000 {
		op := contracts.UserOperation{
			Sender: common.BytesToAddress(some()), Nonce: number(), InitCode: some(), CallData: some(),
			CallGasLimit: number(), VerificationGasLimit: number(), PreVerificationGas: number(),
			MaxFeePerGas: number(), MaxPriorityFeePerGas: number(), PaymasterAndData: some(), Signature: some(),
		}
		limits := map[string]*uint256.Int{
			"callGasLimit": &op.CallGasLimit, "verificationGasLimit": &op.VerificationGasLimit, "preVerificationGas": &op.PreVerificationGas,
		}
		form := opjson.Form{Decimal: random.IntN(2) == 0}
		left := make(map[string]bool)
		for name, limit := range limits {
			if random.IntN(3) == 0 {
				limit.Clear()
			}
			if random.IntN(2) == 0 {
				form.LeaveOut = append(form.LeaveOut, name)
				left[name] = limit.IsZero()
			}
		}
		limit := func(name string) *string {
			text := limits[name].Hex()
			if form.Decimal {
				text = limits[name].Dec()
			}
			if left[name] {
				return nil
			}
			return &text
		}
		want, err := json.Marshal(plain{
			op.Sender.Hex(), op.Nonce.Hex(), op.InitCode, op.CallData,
			limit("callGasLimit"), limit("verificationGasLimit"), limit("preVerificationGas"),
			op.MaxFeePerGas.Hex(), op.MaxPriorityFeePerGas.Hex(), op.PaymasterAndData, op.Signature,
		})
		require.NoError(t, err)
		require.Equal(t, string(want), string(opjson.InForm{Operation: &op, Form: form}.AppendJSON(nil)))
		written, err := json.Marshal(opjson.InForm{Operation: &op, Form: form})
		require.NoError(t, err)
		require.Equal(t, string(want), string(written))
	}
}
