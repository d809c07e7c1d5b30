// Package policy says what a session key may do, in words and in the bytes that a smart account enforces.
//
//	minting := policy.ABI{
//		Key: key, Contract: nft, Function: "safeMint(address to)",
//		Rules:  []policy.Rule{policy.Arg("to", policy.Equal, user)},
//		Window: policy.Until(time.Now().Add(24 * time.Hour)),
//	}
//	compiled, err := minting.Compile(policy.Modules{})
//	fmt.Println(compiled.Describe(policy.Modules{})) // may call safeMint(address) on 0x… with to = 0x…, …
//
// A [Policy] is an [ABI], an [ERC20] or a [Raw] one, for the contract that judges the key's calls: one of the
// session validation modules in [Modules]. Compiled, it is a leaf of the account's Merkle tree: the window,
// the module and the module's data. That is all the chain knows of it, and [Compiled.Policy] reads it back.
//
// [CheckCall] and [CheckOperation] answer beforehand what the module would answer on chain, with the rule and
// both values as a [*Violation]; [LintCall] says what is odd about a call that passes. [Lint] looks for what
// is risky, [Compiled.Describe] says in a sentence what is allowed. No module looks at fees or gas, so that a
// key can spend what the account holds as gas of operations which it pays for itself, whatever the policy
// says: [LintConfig.Describe] and [Lint] say so where it is known.
//
// Nothing here reads or writes anything or asks for the time: the same arguments have the same answer. Which
// policies an account granted, under which IDs, and whether they are in force, is package session's.
package policy
