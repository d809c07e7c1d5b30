// Package paymaster is a client for services that pay for user operations of EntryPoint v0.6: each signs for
// a contract on chain, the paymaster, which the EntryPoint takes the gas from instead of from the account.
//
//	client := paymaster.New(paymaster.BiconomyURL(80002, apiKey))
//	defer client.Close()
//
// [Client] speaks Biconomy's methods, sponsored and paid in a token; [ERC7677] speaks the standard ones of
// ERC-7677. Both are a [userop.Paymaster], and so is a [Pool], which is several of them as one: the next is
// asked where one fails.
//
// What the service answers instead of a sponsorship is an [*Error] with the service's own reason. A refusal
// matches [userop.ErrNotSponsored], as an answer that sponsors nothing does, and its kind: [ErrPolicy],
// [ErrUserLimit], [ErrGlobalLimit], [ErrGasTank] or [ErrBalance]. One that asks for fewer requests matches
// [ErrRateLimited]. A request that got no usable answer is a [*TransportError]. None of them ever shows the
// key in the service's URL.
package paymaster
