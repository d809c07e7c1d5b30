// Package account acts for Biconomy Smart Accounts V2 on one chain.
//
// A smart account is a contract that holds a user's assets and makes calls. What it is to do is an operation:
// a bundler takes it to the EntryPoint, the one contract through which all accounts act, and a paymaster may
// pay for it. The account belongs to its owner, mostly a key in the user's wallet. A session is what one
// other key may do for it: the owner granted that, and the account itself enforces it. docs/concepts.md in
// the repository has these words with a picture.
//
// Its main job is to act for a user's account with a session key that the user granted, knowing the account
// by its address alone:
//
//	client, err := account.NewClient(account.Config{
//		ChainID:   80002,
//		Chain:     node, // *ethclient.Client
//		Bundler:   bundler.New(bundlerURL),
//		Paymaster: paymaster.New(paymasterURL),
//	})
//	user := client.Account(address)
//	sess, err := session.Open(ctx, store, user.Ref())
//	tx, err := user.Send(ctx, []account.Call{{To: nft, Data: data}},
//		account.WithSession(sess.Leaf(0)), account.Sponsored())
//	receipt, err := tx.Wait(ctx) // nil error: included and succeeded
//
// A [Client] is everything for one chain: chain reader, pipeline and contract addresses. Make one per
// process. From it comes an [Account], a cheap handle that needs no owner and does no I/O to make. An
// [OwnedAccount] has the owner at hand, an [Owner] with a key in memory, in a keystore or elsewhere: it
// deploys the account with its first operation, grants and revokes sessions, changes modules and owners,
// signs messages and withdraws funds.
//
// Where the rest is:
//
//   - what an operation is made of, and who signs and pays: an [Option] of the call. The account pays itself,
//     a paymaster does ([Sponsored]), or the account pays a paymaster in tokens with the approval in the same
//     operation ([PayWith], at a quote of [Account.FeeQuotes]);
//   - what it would cost and whether it would succeed, without sending it: [Account.Estimate],
//     [Account.Simulate];
//   - what the chain knows of an account, in one request and as of one block: [Account.State],
//     [Account.Balances], [Account.VerifyMessage] for a signature that claims to be its own;
//   - sessions: [OwnedAccount.Grant], [OwnedAccount.Revoke], [OwnedAccount.Restore]; for several calls in one
//     operation [ForBatches], on accounts that hold nothing which anybody could burn then; stopping one needs
//     no owner and no chain: [session.Sessions.Suspend];
//   - a send that happens at most once, whichever process is killed when: [Once], with a [Config].Outbox, and
//     [Client.Run], which goes on with what was left behind; for a table of the caller's own [BeforeSend], or
//     [Account.Build] and [Account.SendSigned];
//   - an owner whose key is elsewhere, as in a browser ([OwnerAddress]): [OwnedAccount.PrepareGrant] and its
//     like make a [Prepared], which is JSON, says in words what it does and what the wallet is to sign;
//     [Client.Submit] takes the signature, in any process;
//   - what a crash left open of grants and revocations, without their owner: [Client.ReconcileAll] for a
//     whole store, [Account.Reconcile] for one account, also for what the chain took back;
//   - one signature of the owner for operations on several chains: [SendTogether], [GrantTogether];
//   - several operations of one account in flight at once, since its nonces count up one by one: [Lanes];
//   - other addresses and other modules: [Contracts], [ReadContracts], [Module], [Client.UpgradedAccount].
//
// Before anything is signed, the node and the bundler have said that they serve the right chain and
// EntryPoint, the owner was compared with the account's, or the sessions with the store and with the root on
// chain, and the policy with the call. What would lock the owner out, open the account to anybody, or sign an
// operation of a stranger's, is refused. What a paymaster or bundler proposes is held against the caller's
// caps and, where the account pays itself, against what the node proposes and our own estimate; [Config].Caps
// says how much.
//
// Errors match a value of this package, [policy.ErrInvalid], or an error of the package where the cause lies;
// those of the pipeline are a [userop.Error] that names the step.
package account
