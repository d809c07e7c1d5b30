// Package sesame is the front door of a library for Go backends that act for their users with session keys.
//
// A user grants a dapp a session: a key with narrow permissions (which contract, which function, which
// arguments, until when), which the user's smart account enforces by itself. The backend loads the stored
// grant, knows the account by its address alone, signs an ERC-4337 user operation with the session key, has
// it sponsored, sends it and waits. Today that is for Biconomy Smart Account V2 on EntryPoint v0.6. This
// package has no code.
//
// An operation says what a smart account is to do. A bundler takes it to the EntryPoint, the contract through
// which all accounts act, and a paymaster may pay for it; docs/concepts.md in the repository has all of these
// words with a picture. Where to start:
//
//   - account: the client of one chain and the accounts on it: send with a session, grant and revoke as the
//     owner. Nearly every program holds an account.Client and little else.
//   - session: the sessions that an account has granted, and the stores they are kept in: session/memstore,
//     session/filestore, session/pgstore, and session/tsstore beside the TypeScript SDK; session/storekit is
//     for writing another.
//   - session/policy: what a session key may do, in words and in bytes; to check, lint and describe.
//   - userop: the operation itself, the pipeline it goes through, and what its errors mean.
//   - bundler, paymaster: the services, over JSON-RPC.
//   - ethnode: the node of the chain, over HTTP.
//   - abi: call data from human-readable signatures, and back.
//   - account/accounttest, bundler/bundlertest, paymaster/paymastertest, session/storetest: for your tests.
//
// The main job, with an *ethclient.Client, a store of sessions and the call's data at hand:
//
//	client, err := account.NewClient(account.Config{
//		ChainID: 80002, Chain: ethClient, Bundler: bundler.New(bundlerURL), Paymaster: paymaster.New(paymasterURL),
//	})
//	user := client.Account(address)
//	sess, err := session.Open(ctx, store, user.Ref())
//	tx, err := user.Send(ctx, []account.Call{{To: nft, Data: mint}},
//		account.WithSession(sess.Leaf(0)), account.Sponsored())
//	receipt, err := tx.Wait(ctx)
//
// Run it on a chain in your own process, with the real contracts: go run ./examples/use-session
package sesame
