package userop

import (
	"regexp"
	"strings"
	"unicode"
)

// AAError is a refusal by the EntryPoint, told by its code: "AA25 invalid account nonce". Errors of bundlers
// and paymasters that name a code wrap one; find it with [errors.As].
type AAError struct {
	// Code is "AA" and two digits. The first digit tells who is at fault: 1 the deployment, 2 the account, 3
	// the paymaster, 4 and 5 the gas limits, 9 the bundle.
	Code string
	// Reason is the text after the code, with the contract's own reason if it gave one: "reverted: ABISV Arg
	// Rule Violated".
	Reason string
}

var aaCode = regexp.MustCompile(`\bAA[0-9]{2}\b`)

// ParseAA finds the first AA code in the text of a service or a contract.
func ParseAA(text string) (*AAError, bool) {
	at := aaCode.FindStringIndex(text)
	if at == nil {
		return nil, false
	}
	reason := text[at[1]:]
	if end := strings.IndexFunc(reason, endsReason); end >= 0 {
		reason = reason[:end]
	}
	const longest = 512
	reason = strings.ToValidUTF8(reason[:min(len(reason), longest)], "")
	reason = strings.Trim(reason, " \t:,;.")
	if strings.Count(reason, ")") > strings.Count(reason, "(") {
		reason = strings.TrimSuffix(reason, ")") // FailedOp(0, AA21 didn't pay prefund)
	}
	return &AAError{Code: text[at[0]:at[1]], Reason: reason}, true
}

// endsReason tells what is not part of a reason in the text around it: quotes, escapes, new lines.
func endsReason(r rune) bool { return r == '"' || r == '\\' || !unicode.IsPrint(r) }

// Error gives the code, its reason, what that means and what to do.
func (e *AAError) Error() string {
	text := strings.TrimSpace(e.Code + " " + e.Reason)
	if help := e.Help(); help != "" {
		text += ": " + help
	}
	return text
}

// Help says in words what the code means and what to do about it; empty for an unknown code.
func (e *AAError) Help() string {
	switch {
	case e.Code != "AA10" && e.Code != "AA25":
	case tooMany.MatchString(e.Reason):
		return "the account has as many operations on their way as the bundler takes; wait for one of them, or send fewer at once"
	case !inTheWay.MatchString(e.Reason):
	case e.Code == "AA10" || deployment.MatchString(e.Reason):
		return "another operation that deploys the account is on its way; wait until it is included"
	default:
		return "another operation with this nonce is on its way; wait until it is included, or send beside it in another lane"
	}
	return aaHelp[e.Code]
}

// Bundlers give the codes of a deployed account and of a used nonce also to operations that are in the way of
// others in their mempool, when nothing is deployed or used yet. Their words tell.
var (
	tooMany    = regexp.MustCompile(`(?i)\bmaximum number of\b`)
	inTheWay   = regexp.MustCompile(`(?i)\bmempool\b|\bbeing (included|processed)\b|\binflight\b`)
	deployment = regexp.MustCompile(`(?i)\bdeployment\b`)
)

// aaHelp explains the codes of EntryPoint v0.6, and those of v0.7 that bundlers use for v0.6 as well.
var aaHelp = map[string]string{
	"AA10": "the account is deployed already; send the operation without initCode",
	"AA13": "the factory reverted or ran out of gas; check initCode and raise verificationGasLimit",
	"AA14": "the factory made another account than the sender; check owner, module and index against the sender's address",
	"AA15": "the factory made no account; check that initCode names the right factory for this chain",
	"AA20": "the account is not deployed; send initCode with its first operation",
	"AA21": "the account cannot pay for the gas; fund it, deposit for it at the EntryPoint, or have the operation sponsored",
	"AA22": "the signature is not valid at this time; check the validity window of the session and the clock",
	"AA23": "the account's validation reverted; check that the module is enabled, the session granted and the call within its policy, and verificationGasLimit",
	"AA24": "the account does not accept the signature; check the key, the chain ID and the EntryPoint, and that no field changed after signing",
	"AA25": "the nonce was used already or skips one; read the account's nonce again and build a new operation",
	"AA26": "the validation took more gas than verificationGasLimit; estimate again or raise it",
	"AA30": "the paymaster is not deployed on this chain; check paymasterAndData",
	"AA31": "the paymaster's deposit at the EntryPoint is too low; top it up",
	"AA32": "the sponsorship has expired or is not due yet; ask the paymaster again",
	"AA33": "the paymaster's validation reverted; ask the paymaster again, and check its policies and balance",
	"AA34": "the paymaster's signature does not fit; no field may change after the paymaster answered",
	"AA36": "the paymaster's validation took more gas than its limit; ask the paymaster again",
	"AA40": "the validation took more gas than verificationGasLimit; estimate again or raise it",
	"AA41": "verificationGasLimit is too low; estimate again or raise it",
	"AA50": "the paymaster reverted after the call; check the token balance and allowance that it takes its pay from, and that the call succeeds: one that fails takes back an approval made with it",
	"AA51": "the operation cost more than was set aside for it; estimate again",
	"AA90": "the bundler gave no beneficiary; this is the bundler's fault, use another one",
	"AA91": "the bundler's beneficiary refused the fee; this is the bundler's fault, use another one",
	"AA92": "an internal function of the EntryPoint was called from outside; this is the bundler's fault",
	"AA93": "paymasterAndData is shorter than an address; leave it empty or ask the paymaster again",
	"AA94": "a gas limit or fee is above 120 bits; check the gas fields",
	"AA95": "the bundle ran out of gas; the bundler has to send it with more, or callGasLimit is too high",
	"AA96": "the account names an invalid signature aggregator; check the account's validation module",
}
