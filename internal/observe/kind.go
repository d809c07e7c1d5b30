package observe

// Kind is what is told of, as spans and metrics name it: a stage, which lasts, or a moment.
type Kind string

// The stages. [Send], [Build] and [Resend] have the others within; a [Wait] is on its own.
const (
	Send     Kind = "send"
	Build    Kind = "build"
	Resend   Kind = "resend"
	Load     Kind = "load"
	Check    Kind = "check"
	Lane     Kind = "lane"
	Nonce    Kind = "nonce"
	Fees     Kind = "fees"
	Sponsor  Kind = "sponsor"
	Estimate Kind = "estimate"
	Quote    Kind = "quote"
	Sign     Kind = "sign"
	Record   Kind = "record"
	Submit   Kind = "submit"
	Wait     Kind = "wait"
)

// The moments.
const (
	Retry       Kind = "retry"
	Anew        Kind = "anew"
	Unsponsored Kind = "unsponsored"
	Settled     Kind = "settled"
	Replace     Kind = "replace"
	Stopped     Kind = "stopped"
	Takeover    Kind = "takeover"
	Trouble     Kind = "trouble"
	Asked       Kind = "asked"
)

// words are what a log says of each.
var words = map[Kind]string{
	Send:     "send user operation",
	Build:    "build user operation",
	Resend:   "send user operation again",
	Load:     "load sessions",
	Check:    "check before signing",
	Lane:     "wait for a lane",
	Nonce:    "read nonce",
	Fees:     "ask for fees",
	Sponsor:  "ask for sponsorship",
	Estimate: "estimate gas",
	Quote:    "ask for fee quotes",
	Sign:     "sign user operation",
	Record:   "write user operation down",
	Submit:   "submit user operation",
	Wait:     "wait for user operation",

	Retry:       "submit user operation once more",
	Anew:        "user operation refused, made anew",
	Unsponsored: "user operation not sponsored, its account pays",
	Settled:     "user operation in doubt sent again",
	Replace:     "replace user operation",
	Stopped:     "stopped: not signed, or not handed out",
	Takeover:    "go on with a send that was left behind",
	Trouble:     "background work failed, and is tried again",
	Asked:       "asked one of several",
}
