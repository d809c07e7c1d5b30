package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// story is what the ledgers tell of one job.
type story struct {
	job    uint64
	user   common.Address
	doomed bool
	events []event
	// end is the event that ended the job, nil for none; again is another end.
	end, again *event
	// signed are the operations that were signed for it, refused those that are told to be not on chain.
	signed  []common.Hash
	refused []*event
	// reports are what Run told of it.
	reports []*event
	// doubts are the deadlines at which it was open what became of it.
	doubts []*event
}

// settledAt is when the job ended, or when it was last in doubt.
func (s *story) settledAt() time.Time {
	if s.end != nil {
		return s.end.At
	}
	return s.events[len(s.events)-1].At
}

// String tells the story line by line.
func (s *story) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "job %d of %s:\n", s.job, s.user)
	for i := range s.events {
		fmt.Fprintf(&b, "    %s\n", &s.events[i])
	}
	return b.String()
}

// tell sorts the events of all ledgers by job.
func tell(events []event) map[uint64]*story {
	stories := make(map[uint64]*story)
	for _, e := range inOrder(events) {
		if e.Job == 0 {
			continue
		}
		s := stories[e.Job]
		if s == nil {
			s = &story{job: e.Job}
			stories[e.Job] = s
		}
		s.add(e)
	}
	return stories
}

func inOrder(events []event) []event {
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b event) int { return a.At.Compare(b.At) })
	return events
}

func (s *story) add(e event) {
	s.events = append(s.events, e)
	switch e.Kind {
	case began:
		s.user, s.doomed = e.User, e.Doomed
	case signed:
		s.signed = append(s.signed, e.Hash)
	case refused:
		s.refused = append(s.refused, &e)
	case reported:
		s.reports = append(s.reports, &e)
	case doubtful:
		s.doubts = append(s.doubts, &e)
	case landed, reverted, gaveUp:
		if s.end != nil {
			s.again = &e
		} else {
			s.end = &e
		}
	}
}

// sorted returns the stories by the numbers of their jobs.
func sorted(stories map[uint64]*story) []*story {
	all := make([]*story, 0, len(stories))
	for _, s := range stories {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *story) int { return cmp.Compare(a.job, b.job) })
	return all
}
