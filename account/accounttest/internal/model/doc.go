// Package model is a chain without an EVM: the account's contracts, the EntryPoint and the demo contracts as
// Go functions over one table of words, which do and refuse what the real ones do, with the same errors and
// logs.
//
// [Machine] is the chain. Each contract is a table of methods by selector in a file of its own;
// [Machine.Call] runs one as a transaction would, [Machine.HandleOp] an operation as a bundle of its own.
// Whatever no table has is an [Unknown] error, never a success. Gas is nominal: every call takes the same.
package model
