// Package contracts knows the contracts that this module talks to: the smart account and its factory, the
// EntryPoint, the ownership and session modules, the paymasters, tokens. Each has its interface as a table
// ([SmartAccount], [EntryPoint]), a builder for each call this module makes ([Execute], [SetMerkleRoot]), and
// readers for its results, events and errors ([DecodeModules], [DecodeUserOperationEvent], [DecodeRevert]);
// [Deployed] has the addresses. What works for any contract is package abi.
//
// Builders encode without reflection and in one allocation. Whatever decodes takes data from strangers: it
// does not panic, and takes memory in proportion to the data's length.
//
// [PackReads] asks a chain for many things in one request, and [UnpackReadResults] reads the answer;
// [ParseReads] and [PackReadResults] are the other side, for something that answers in place of a chain.
package contracts
