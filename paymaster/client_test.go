package paymaster_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-sesame/sesame/internal/jsonrpc/jsonrpctest"
	"github.com/go-sesame/sesame/paymaster"
	"github.com/go-sesame/sesame/userop"
)

func TestBiconomyURL(t *testing.T) {
	require.Equal(t, "https://paymaster.biconomy.io/api/v1/80002/nJPK.dd7f-41", paymaster.BiconomyURL(80002, "nJPK.dd7f-41"))
}

func TestANilOptionIsTheErrorOfEveryCall(t *testing.T) {
	for _, service := range []userop.Paymaster{
		paymaster.New("https://paymaster.example/api/v1/80002/k-123456", nil),
		paymaster.NewERC7677("https://paymaster.example/api/v1/80002/k-123456", nil, nil),
	} {
		_, err := service.SponsorUserOperation(t.Context(), operation(), request(false))
		require.ErrorContains(t, err, "paymaster https://paymaster.example/…: ")
		require.ErrorContains(t, err, ": an option is nil; leave it out instead")
	}
}

func TestNothingPrintedShowsTheKey(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	body := "no access to /api/v1/80002/k-123456"
	server := jsonrpctest.Serve(t,
		jsonrpctest.Exchange{Method: "pm_sponsorUserOperation", Status: http.StatusForbidden, Body: &body},
		jsonrpctest.Exchange{Method: "pm_sponsorUserOperation", Error: json.RawMessage(`{"code":-32000,"message":"bad key k-123456","data":"k-123456"}`)},
		jsonrpctest.Exchange{Method: "pm_getPaymasterData", Status: http.StatusForbidden, Body: &body},
	)
	client := paymaster.New(server.URL+"/api/v1/80002/k-123456", paymaster.WithLogger(logger))
	defer client.Close()
	standard := paymaster.NewERC7677(server.URL+"/api/v1/80002/k-123456", nil, paymaster.WithLogger(logger))
	defer standard.Close()
	things := []any{client, standard, *client, *standard}
	for _, service := range []userop.Paymaster{client, client, standard} {
		_, err := service.SponsorUserOperation(t.Context(), operation(), request(false))
		require.Error(t, err)
		things = append(things, err)
		logger.Error("failed", "error", err, "client", client)
	}
	text := log.String()
	for _, thing := range things {
		asJSON, err := json.Marshal(thing)
		require.NoError(t, err)
		text += fmt.Sprintf("%v %+v %#v %s\n", thing, thing, thing, asJSON)
	}
	require.NotContains(t, text, "k-123456")
	require.Contains(t, text, "paymaster "+server.URL+"/…")
}
