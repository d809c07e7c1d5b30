// Package jsonobject reads JSON objects that other people's services write: it takes out the fields it is
// asked for by their exact names, ignores the rest, and says of all that is missing or wrong which field it
// was.
//
//	r, err := jsonobject.Parse(data)
//	...
//	r.Require("sender", &op.Sender)
//	r.Optional("initCode", (*hexutil.Bytes)(&op.InitCode))
//	return r.Err() // "missing sender; nonce: 1e18 is not an exact integer"
package jsonobject
