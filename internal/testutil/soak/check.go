package main

import (
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
)

// problem is something that must not be.
type problem struct {
	what  string // lost, doubled, …
	text  string
	story string // of the job, where there is one
}

func (p problem) String() string {
	if p.story == "" {
		return fmt.Sprintf("%s: %s", p.what, p.text)
	}
	return fmt.Sprintf("%s: %s\n%s", p.what, p.text, p.story)
}

const (
	// mostDoubtful is how many of a hundred sends may be in doubt at their deadline.
	mostDoubtful = 2
	// fewSends is how many sends a share is taken of at least: of fewer, one is too many by chance.
	fewSends = 200
	// healthyFor is how long services are calm until nothing may be in doubt any more.
	healthyFor = time.Minute
	// onItsWay is how much later than its guard let it pass an operation may be seen to be handed out.
	onItsWay = 2 * time.Second
)

// evidence is what there is at the end of a run.
type evidence struct {
	events []event
	chain  []effect
	// users are whose operations are counted.
	users map[common.Address]bool
	// calm is when the services were healthy again.
	calm time.Time
}

// check compares what the workers were told with what the chain has.
func check(e *evidence) (figures, []problem) {
	c := &checker{evidence: e, onChain: make(map[common.Hash]*effect), doneBy: make(map[uint64][]*effect), stories: tell(e.events)}
	for i := range e.chain {
		found := &e.chain[i]
		if !e.users[found.User] {
			continue
		}
		c.onChain[found.Hash] = found
		for _, job := range found.Jobs {
			c.doneBy[job] = append(c.doneBy[job], found)
		}
	}
	for _, s := range sorted(c.stories) {
		c.judge(s)
	}
	c.strangers()
	c.afterTombstones()
	c.settledUsers()
	c.doubts()
	return c.figures, c.problems
}

// figures are what a run is measured by.
type figures struct {
	sends, landed, reverted, gaveUp, doubtful, doubtfulAfterCalm int
	tombstones, signatures                                       int
	settling                                                     time.Duration // from calm to the last job's end
}

type checker struct {
	*evidence
	stories  map[uint64]*story
	onChain  map[common.Hash]*effect
	doneBy   map[uint64][]*effect
	figures  figures
	problems []problem
}

func (c *checker) complain(s *story, what, format string, args ...any) {
	p := problem{what: what, text: fmt.Sprintf(format, args...)}
	if s != nil {
		p.story = s.String()
	}
	c.problems = append(c.problems, p)
}

// judge judges one job.
func (c *checker) judge(s *story) {
	c.figures.sends++
	done := c.doneBy[s.job]
	if len(done) > 1 {
		c.complain(s, "doubled", "the chain has it %d times: %s", len(done), hashes(done))
	}
	for _, told := range s.refused {
		if found := c.onChain[told.Hash]; found != nil {
			c.complain(s, "misreported", "told that operation %s surely was not accepted, and block %d has it: %s", told.Hash, found.Block, told.Text)
		}
	}
	for _, told := range s.reports {
		c.compareReport(s, told)
	}
	if s.again != nil {
		c.complain(s, "misreported", "it ended twice: %s, then %s", s.end, s.again)
	}
	if s.end != nil && s.end.At.After(c.calm) {
		c.figures.settling = max(c.figures.settling, s.end.At.Sub(c.calm))
	}
	c.count(s)
	c.compare(s, done)
}

func (c *checker) count(s *story) {
	if len(s.doubts) > 0 && s.doubts[0].At.Before(c.calm) {
		c.figures.doubtful++
	}
	late := len(s.signed) > 0 && (s.end == nil || s.end.At.After(c.calm.Add(healthyFor)))
	if late {
		c.figures.doubtfulAfterCalm++
		c.complain(s, "in doubt", "%s after the services were healthy it was still open", s.settledAt().Sub(c.calm).Round(time.Second))
	} else if s.end == nil {
		c.complain(s, "unfinished", "nothing was sent for it in the end")
	}
}

// compare compares the end that was told with the chain.
func (c *checker) compare(s *story, done []*effect) {
	if s.end == nil {
		return
	}
	found := c.onChain[s.end.Hash]
	switch {
	case s.end.Kind == gaveUp:
		c.figures.gaveUp++
		if len(done) > 0 {
			c.complain(s, "misreported", "told that it failed, and the chain has it: %s", hashes(done))
		}
	case found == nil:
		c.complain(s, "lost", "told that operation %s %s, and the chain does not have it", s.end.Hash, s.end.Kind)
	case s.end.Kind == landed:
		c.figures.landed++
		if !found.Success {
			c.complain(s, "misreported", "told that it succeeded, and its call reverted in block %d", found.Block)
		} else if len(done) == 0 {
			c.complain(s, "lost", "operation %s is in block %d, and did something else", s.end.Hash, found.Block)
		}
	case s.end.Kind == reverted:
		c.figures.reverted++
		if found.Success {
			c.complain(s, "misreported", "told that its call reverted, and it succeeded in block %d", found.Block)
		} else if !s.doomed {
			c.complain(s, "reverted", "its call was not to fail: %s", s.end.Text)
		}
	}
}

// compareReport compares what Run told of one of the job's keys with the chain.
func (c *checker) compareReport(s *story, told *event) {
	found := c.onChain[told.Hash]
	switch {
	case found == nil && told.Included:
		c.complain(s, "lost", "reported that operation %s is included, and the chain does not have it", told.Hash)
	case found != nil && !told.Included:
		c.complain(s, "misreported", "reported that it never will be included, and block %d has it: %s", found.Block, told.Text)
	case found != nil && found.Success != (told.Text == ""):
		c.complain(s, "misreported", "reported other than block %d has it: %s", found.Block, told.Text)
	}
}

func hashes(all []*effect) (text string) {
	for _, e := range all {
		text += fmt.Sprintf(" %s in block %d", e.Hash, e.Block)
	}
	return text
}

// strangers complains of what the chain has and no ledger: an operation that was not written down before it
// was sent, or a job that nobody began.
func (c *checker) strangers() {
	for job, done := range c.doneBy {
		if c.stories[job] == nil {
			c.complain(nil, "doubled", "job %d was done and never begun:%s", job, hashes(done))
		}
	}
}

// afterTombstones complains of signatures that were made, and operations that were handed out, by a session
// whose tombstone was stored before.
func (c *checker) afterTombstones() {
	stopped := make(map[common.Address]time.Time)
	for _, e := range inOrder(c.events) {
		if at, ok := stopped[e.Key]; e.Kind == suspended && (!ok || e.At.Before(at)) {
			stopped[e.Key] = e.At
		}
	}
	c.figures.tombstones = len(stopped)
	signers := make(map[common.Hash]common.Address)
	for i := range c.events {
		if e := &c.events[i]; e.Kind == signing {
			signers[e.Hash] = e.Key
			c.figures.signatures++
			if at, ok := stopped[e.Key]; ok && e.At.After(at) {
				c.complain(c.storyOf(e.Hash), "late", "session key %s signed operation %s %s after its tombstone was stored", e.Key, e.Hash, e.At.Sub(at))
			}
		}
	}
	for i := range c.events {
		e := &c.events[i]
		at, ok := stopped[signers[e.Hash]]
		if e.Kind == handed && ok && e.At.After(at.Add(onItsWay)) {
			c.complain(c.storyOf(e.Hash), "late", "operation %s was handed to the bundler %s after the tombstone of session key %s was stored", e.Hash, e.At.Sub(at), signers[e.Hash])
		}
	}
}

// storyOf is the story of the job that an operation was signed for, nil where none is.
func (c *checker) storyOf(op common.Hash) *story {
	for _, s := range c.stories {
		for _, hash := range s.signed {
			if hash == op {
				return s
			}
		}
	}
	return nil
}

// settledUsers complains of users with something open at the end.
func (c *checker) settledUsers() {
	last := make(map[common.Address]*event)
	for _, e := range inOrder(c.events) {
		if e.Kind == settled || e.Kind == unsettled {
			last[e.User] = &e
		}
	}
	for user := range c.users {
		if e := last[user]; e == nil {
			c.complain(nil, "stuck", "nobody settled the sessions of %s", user)
		} else if e.Kind == unsettled {
			c.complain(nil, "stuck", "the sessions of %s: %s", user, e.Text)
		}
	}
}

// doubts complains of too many.
func (c *checker) doubts() {
	if c.figures.doubtful*100 > mostDoubtful*max(c.figures.sends, fewSends) {
		c.complain(nil, "in doubt", "%d of %d sends at their deadlines, at most %d %% may be", c.figures.doubtful, c.figures.sends, mostDoubtful)
	}
}
