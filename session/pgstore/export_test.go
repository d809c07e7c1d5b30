package pgstore

// SelectListed lets tests look at how the database answers a listing.
var SelectListed = selectListed
