package pgstore

// What tests look at from outside.
var (
	SelectListed = selectListed
	Parse        = parse
)
