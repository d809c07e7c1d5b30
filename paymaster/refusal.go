package paymaster

import (
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/go-sesame/sesame/internal/jsonrpc"
)

// The kinds of a service's refusals, as far as its words tell: vendors have no codes for them. Match them
// with [errors.Is]. Each of them is userop.ErrNotSponsored, too; a service that is down, wants fewer requests
// or another key is none of them.
var (
	// ErrPolicy: none of the service's policies covers the operation: its account, what it calls, its cost,
	// or the time.
	ErrPolicy = errors.New("no policy of the paymaster covers the operation")
	// ErrUserLimit: the account has had as much sponsored as one account gets.
	ErrUserLimit = errors.New("sponsorship limit of the account reached")
	// ErrGlobalLimit: as much was sponsored as all accounts together get.
	ErrGlobalLimit = errors.New("sponsorship limit of all accounts reached")
	// ErrGasTank: what the service pays from is used up: a gas tank, a deposit, prepaid credits.
	ErrGasTank = errors.New("gas tank of the paymaster empty")
	// ErrBalance: a balance or an allowance is too low, mostly the account's in the token that it pays in.
	ErrBalance = errors.New("balance too low for the paymaster")
)

// ways are the ways out of the refusals.
var ways = map[error]string{
	ErrPolicy:      "let a policy of the service cover the account and what it calls, or have the account pay",
	ErrUserLimit:   "raise the limit for one account at the service, wait for its next period, or have the account pay",
	ErrGlobalLimit: "raise the limit for all accounts at the service, wait for its next period, or have the account pay",
	ErrGasTank:     "fill the gas tank up at the service, or have the account pay",
	ErrBalance:     "fund what the service names, or have the account pay",
}

// What services say of refusals, in lower case and with "operation" for a user operation.
var (
	userOperation = regexp.MustCompile(`\buser[ _-]?op(eration)?s?\b`)

	// trouble is a service that cannot tell: it is down, asks for fewer requests, or for another key, policy
	// or chain than the caller configured.
	trouble = regexp.MustCompile(`\brate.?limit|\btoo many requests|\brequests? per |\brequests? (count |rate )?(limit|quota)|\bcompute units?\b` +
		`|\bunauthori[sz]ed|\bunauthenticated|\bauthenticat|\bapi[ -_]?key\b|\b(invalid|missing|wrong|unknown|expired|bad) (token|credentials?|project|signature)\b|\bproject\b.{0,40}\bnot found` +
		`|\bunavailable\b|\btime(d|s)?[ -]?out\b|\binternal (server )?error|\boverloaded|\bmaintenance\b|\bunreachable\b` +
		`|\b(failed|unable|error|errored|could not|couldn't|cannot|can't)( \w+){0,3} (fetch|load|evaluat|check|query|read|connect|get|retriev|reach|parse|decod)` +
		`|\b(origin|ip|referr?er|domain|chain|network|entry ?point|method)\b( \S+){0,3} (not|isn't|is not) (supported|found|available)|\b(origin|ip( address)?|referr?er|domain)\b( \S+){0,3} (not|isn't) ` +
		`|\b(invalid|unknown|missing|no such|malformed) (sponsorship )?policy\b|\bpolicy( \S+){0,3} (not found|does not exist|doesn't exist|is required)\b`)
	// reverted is about the operation, not about who pays.
	reverted = regexp.MustCompile(`\brevert`)

	gasTank = regexp.MustCompile(`\bgas.?tank\b|\btop.?up\b|\bbuy(ing)? (more )?(gas )?credits\b` +
		`|\b(insufficient|not enough|no|out of|too little|low)( \w+){0,3} (credits?|(pimlico|sponsor(ship)?|paymaster|prepaid|deposit)('s)? (balance|funds|deposit))\b` +
		`|\b(paymaster|sponsor(ship)?|prepaid)('s)? (wallet )?(balance|funds|deposit|account)\b.{0,30}\b(low|insufficient|not enough|empty|exhausted|depleted)\b` +
		`|\bpaymaster( \w+){0,2}( out of| no( more)?| insufficient| not( have)? enough|n't have enough) (funds|money|balance|deposit)\b` +
		`|\b(insufficient|not enough|no) (funds|money|balance|deposit) (in|on|of|for|at) (the )?(paymaster|sponsor)\b|\bcredits?\b.{0,20}\b(exhausted|depleted|used up)\b`)
	noLimit = regexp.MustCompile(`gas ?limit|fee ?per ?gas|priority ?fee|\bgas ?price|\bpayload|\bbytes\b|\bnonce\b|\bpreverificationgas`)
	limit   = regexp.MustCompile(`\b(limits?|quota|max(imum)?|budget|cap|count)\b`)
	reached = regexp.MustCompile(`\breach|\bexceed|\bexhaust|\bused up|\bspent\b|\bhit\b|\bover\b|\bdeplet|\breject|\bdenied\b`)
	// ofOne is the limit of one operation, ofUser that of one account; any other is the limit of all.
	ofOne   = regexp.MustCompile(`\b(per|single|one|each)[ -](operation|transaction|tx)\b|\boperation('s)? cost exceeds`)
	ofUser  = regexp.MustCompile(`\b(user|account|wallet|sender|spender|address|individual)('s)?\b`)
	ofAll   = regexp.MustCompile(`\b(all|every|across) (users|accounts|wallets)|\b(global|team|org|organi[sz]ation)\b`)
	balance = regexp.MustCompile(`\b(insufficient|not enough|too little|low)( \w+){0,4} (balance|funds|allowance|approval)\b|\b(balance|allowance|funds)\b.{0,20}\b(too low|insufficient|not enough)\b|\bexceeds (the )?(balance|allowance)\b`)
	policy  = regexp.MustCompile(`\bpolic(y|ies)\b|\bwebhook( \w+){0,2} (denied|rejected|refused|declined)\b|\b(allow|white|block|deny|black)[ -]?list|\bsmart contract data not found|\b(not|isn't|won't|cannot|can't|never)( be)? (allowed|permitted|eligible|sponsor)|\bineligible\b` +
		`|\b(sponsorship|sponsor|sponsoring|request|operation)( \w+){0,3} (denied|rejected|refused|declined|disapproved|not approved)\b|\b(denied|declin|refus|reject)\w*( to)? sponsor`)
)

// kindOf returns the kind of refusal that words say; nil where they say none.
func kindOf(words string) error {
	words = userOperation.ReplaceAllString(strings.ReplaceAll(strings.ToLower(words), "’", "'"), "operation")
	switch {
	case trouble.MatchString(words), reverted.MatchString(words):
		return nil
	case gasTank.MatchString(words):
		return ErrGasTank
	case limit.MatchString(words) && reached.MatchString(words) && !noLimit.MatchString(words):
		return limitOf(words)
	case balance.MatchString(words):
		return ErrBalance
	case policy.MatchString(words):
		return ErrPolicy
	}
	return nil
}

func limitOf(words string) error {
	switch {
	case ofOne.MatchString(words):
		return ErrPolicy
	case ofUser.MatchString(words) && !ofAll.MatchString(words):
		return ErrUserLimit
	}
	return ErrGlobalLimit
}

// refusal returns the kind of refusal that the answer is; nil for any other answer. What the EntryPoint or a
// contract says is about the operation, except that the paymaster's deposit is too low.
func (e *Error) refusal() error {
	switch {
	case e.answer().RateLimited(), e.HTTPStatus == http.StatusUnauthorized, e.HTTPStatus == http.StatusRequestTimeout:
		return nil
	case e.Code == jsonrpc.CodePaymasterDeposit, e.AA != nil && e.AA.Code == "AA31":
		return ErrGasTank
	case e.AA != nil, e.Revert != nil, e.Code == jsonrpc.CodeMethodNotFound:
		return nil
	}
	return kindOf(e.Message + " " + string(e.Data))
}

// refusalIn turns a refusal that is no JSON-RPC into an *Error: services of the standard's methods have words
// of their own in front of them, too, under a status that says no.
func refusalIn(failed *TransportError) error {
	if failed.HTTPStatus < 400 || failed.HTTPStatus > 499 {
		return nil
	}
	e := &Error{Endpoint: failed.Endpoint, Method: failed.Method, Message: failed.BodyStart, HTTPStatus: failed.HTTPStatus, RetryAfter: failed.RetryAfter}
	if e.refusal() == nil {
		return nil
	}
	return e
}
