// Package abi speaks to contracts: it reads signatures as people write them, turns arguments into calldata
// and answers back into values, and says reverts in words.
//
// The main call takes a signature in the form TypeScript libraries use and Go values for the arguments:
//
//	data, err := abi.Pack("function safeMint(address to)", address)
//
// Go types are taken leniently and values strictly (see [Function.Pack]); [ParseFunction] keeps a signature
// parsed.
//
// Rules of sessions look at single words of the calldata. [Function.Word] finds the word that a path such as
// "order.amount" names, and says when there is no such word at a fixed place; [Word.Encode] makes the value
// to compare it with.
//
// [UnpackResult] reads what a call returned, [DecodeRevert] says what it reverted with, and [Event.Decode]
// reads a log. [ParseContract] takes a whole interface, functions, events and errors; the package itself
// knows no contract.
//
// Whatever decodes takes data from strangers: it does not panic, and takes memory in proportion to the data's
// length.
package abi
