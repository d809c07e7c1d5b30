package main

import (
	"context"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// Order is a job: an NFT for somebody, minted by a user's account. Its unique fields are those of the
// idempotency key that it is sent under, so that queue and outbox agree on what is the same order. They are
// in the database: to rename one makes all orders new ones.
type Order struct {
	ChainID uint64         `json:"chain_id" river:"unique"`
	Account common.Address `json:"account" river:"unique"`
	Number  string         `json:"number" river:"unique"`
	To      common.Address `json:"to"`
}

// Kind names the kind of job in the database.
func (Order) Kind() string { return "order" }

// key is the idempotency key, which belongs to the account on its chain.
func (o *Order) key() string { return "order " + o.Number }

// mostTries is how often a job fails before somebody has to look at it. What was sent and has not ended is no
// failure.
const mostTries = 20

// queueOf names the queue of a chain's orders: a process takes those of the chain that it is connected to.
func queueOf(chainID uint64) string { return fmt.Sprint("chain_", chainID) }

// InsertOpts put a chain's jobs into its queue, and make a job unique for as long as the queue keeps it,
// whatever became of it: a day after it was done, by default. The outbox keeps its key for longer
// (account.Config.Keep), and after that an order that is known to be filled must not be placed again.
func (o Order) InsertOpts() river.InsertOpts {
	return river.InsertOpts{
		Queue: queueOf(o.ChainID), MaxAttempts: mostTries,
		UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: rivertype.JobStates()},
	}
}

// place places orders in a transaction of the caller's, who may write what else belongs to them in it: they
// are to be filled if it is committed. It returns how many of them there were not yet.
func place(ctx context.Context, queue *river.Client[pgx.Tx], tx pgx.Tx, orders []Order) (placed int, err error) {
	var jobs []river.InsertManyParams
	seen := make(map[Order]bool) // the queue refuses a portion that has a job twice
	for _, order := range orders {
		same := Order{ChainID: order.ChainID, Account: order.Account, Number: order.Number}
		if !seen[same] {
			seen[same] = true
			jobs = append(jobs, river.InsertManyParams{Args: order})
		}
	}
	results, err := queue.InsertManyTx(ctx, tx, jobs)
	if err != nil {
		return 0, fmt.Errorf("place %d orders: %w", len(orders), err)
	}
	for _, result := range results {
		if !result.UniqueSkippedAsDuplicate {
			placed++
		}
	}
	return placed, nil
}
