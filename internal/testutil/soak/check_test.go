package main

import (
	"bytes"
	"encoding/hex"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
)

var (
	noon    = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	someone = common.HexToAddress("0x50e0")
	key     = common.HexToAddress("0x4e1")
	first   = common.HexToHash("0x1")
	second  = common.HexToHash("0x2")
)

// at is an event so many seconds after noon.
func at(seconds int, e event) event {
	e.At, e.User = noon.Add(time.Duration(seconds)*time.Second), someone
	return e
}

// sent is the ledger of one job up to its end.
func sent(more ...event) []event {
	return append([]event{
		at(0, event{Kind: began, Job: 1}),
		at(1, event{Kind: signing, Key: key, Hash: first}),
		at(1, event{Kind: signed, Job: 1, Hash: first}),
		at(2, event{Kind: handed, Hash: first}),
	}, more...)
}

func success(hash common.Hash, jobs ...uint64) effect {
	return effect{Hash: hash, User: someone, Success: true, Jobs: jobs, Block: 7}
}

func failure(hash common.Hash) effect { return effect{Hash: hash, User: someone, Block: 7} }

var (
	itLanded   = at(5, event{Kind: landed, Job: 1, Hash: first})
	itReverted = at(5, event{Kind: reverted, Job: 1, Hash: first})
	itRefused  = at(5, event{Kind: refused, Job: 1, Hash: first, Text: "fee too low"})
	isSettled  = at(90, event{Kind: settled})
)

// TestCheckTells shows that each thing that can go wrong is told: what the ledgers say against what the chain
// has. Calm is a minute after noon.
func TestCheckTells(t *testing.T) {
	tests := map[string]struct {
		events []event
		chain  []effect
		want   []string // what is wrong; nothing for a run that is right
	}{
		"all is well": {events: sent(itLanded), chain: []effect{success(first, 1)}},
		"doomed":      {events: sent(at(0, event{Kind: began, Job: 1, Doomed: true}), itReverted), chain: []effect{failure(first)}},
		"refused, and another one landed": {
			events: sent(itRefused, at(6, event{Kind: signed, Job: 1, Hash: second}), at(7, event{Kind: landed, Job: 1, Hash: second})),
			chain:  []effect{success(second, 1)},
		},
		"somebody else's":          {events: sent(itLanded), chain: []effect{success(first, 1), {Hash: second, User: common.Address{1}, Success: true, Jobs: []uint64{1}}}},
		"signed before it stopped": {events: sent(itLanded, at(2, event{Kind: suspended, Key: key})), chain: []effect{success(first, 1)}},

		"lost":                    {events: sent(itLanded), want: []string{"lost"}},
		"another operation":       {events: sent(itLanded), chain: []effect{success(first)}, want: []string{"lost"}},
		"doubled":                 {events: sent(itLanded), chain: []effect{success(first, 1), success(second, 1)}, want: []string{"doubled"}},
		"doubled in one":          {events: sent(itLanded), chain: []effect{success(first, 1, 1)}, want: []string{"doubled"}},
		"never begun":             {events: sent(itLanded), chain: []effect{success(first, 1), success(second, 2)}, want: []string{"doubled"}},
		"success that reverted":   {events: sent(itLanded), chain: []effect{failure(first)}, want: []string{"misreported"}},
		"revert that succeeded":   {events: sent(itReverted), chain: []effect{success(first, 1)}, want: []string{"misreported"}},
		"revert without a reason": {events: sent(itReverted), chain: []effect{failure(first)}, want: []string{"reverted"}},
		"refusal that landed": {
			events: sent(itRefused, at(6, event{Kind: gaveUp, Job: 1})),
			chain:  []effect{success(first, 1)},
			want:   []string{"misreported", "misreported"}, // the refusal, and the job
		},
		"refusal that landed, and its second try": {
			events: sent(itRefused, at(6, event{Kind: signed, Job: 1, Hash: second}), at(7, event{Kind: landed, Job: 1, Hash: second})),
			chain:  []effect{success(first, 1), success(second, 1)},
			want:   []string{"doubled", "misreported"},
		},
		"two ends":      {events: sent(itLanded, itReverted), chain: []effect{success(first, 1)}, want: []string{"misreported"}},
		"no end":        {events: sent(), chain: []effect{success(first, 1)}, want: []string{"in doubt"}},
		"a late end":    {events: sent(at(121, event{Kind: landed, Job: 1, Hash: first})), chain: []effect{success(first, 1)}, want: []string{"in doubt"}},
		"never sent":    {events: []event{at(0, event{Kind: began, Job: 1})}, want: []string{"unfinished"}},
		"once in doubt": {events: sent(at(3, event{Kind: doubtful, Job: 1}), itLanded), chain: []effect{success(first, 1)}},
		"signed late":   {events: sent(itLanded, at(0, event{Kind: suspended, Key: key})), chain: []effect{success(first, 1)}, want: []string{"late"}},
		"handed late":   {events: sent(itLanded, at(2, event{Kind: suspended, Key: key}), at(5, event{Kind: handed, Hash: first})), chain: []effect{success(first, 1)}, want: []string{"late"}},
		"stopped once":  {events: sent(itLanded, at(0, event{Kind: suspended, Key: key}), at(9, event{Kind: suspended, Key: key})), chain: []effect{success(first, 1)}, want: []string{"late"}},
		"stuck":         {events: sent(itLanded, at(91, event{Kind: unsettled, Text: "pending"})), chain: []effect{success(first, 1)}, want: []string{"stuck"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, problems := check(&evidence{
				events: append([]event{isSettled}, test.events...),
				chain:  test.chain,
				users:  map[common.Address]bool{someone: true},
				calm:   noon.Add(time.Minute),
			})
			var told []string
			for _, p := range problems {
				told = append(told, p.what)
			}
			require.Equal(t, test.want, told, "%v", problems)
		})
	}
}

func TestCheckNobodySettled(t *testing.T) {
	_, problems := check(&evidence{users: map[common.Address]bool{someone: true}})
	require.Equal(t, []problem{{what: "stuck", text: "nobody settled the sessions of " + someone.Hex()}}, problems)
}

// TestCheckCountsDoubts shows where the bound is.
func TestCheckCountsDoubts(t *testing.T) {
	for doubts, want := range map[int]int{10: 0, 11: 1} {
		e := &evidence{events: []event{isSettled}, users: map[common.Address]bool{someone: true}, calm: noon.Add(time.Minute)}
		for job := range 500 {
			hash := common.BigToHash(big.NewInt(int64(job + 1)))
			e.events = append(e.events, at(0, event{Kind: began, Job: uint64(job + 1)}), at(2, event{Kind: landed, Job: uint64(job + 1), Hash: hash}))
			e.chain = append(e.chain, success(hash, uint64(job+1)))
			if job < doubts {
				e.events = append(e.events, at(1, event{Kind: doubtful, Job: uint64(job + 1)}))
			}
		}
		f, problems := check(e)
		require.Equal(t, doubts, f.doubtful)
		require.Len(t, problems, want)
	}
}

// TestCheckTellsTheStory shows that a problem of a job comes with all that happened to it, in order.
func TestCheckTellsTheStory(t *testing.T) {
	_, problems := check(&evidence{events: append([]event{isSettled, itLanded}, sent()...), users: map[common.Address]bool{someone: true}, calm: noon.Add(time.Minute)})
	require.Len(t, problems, 1)
	require.Regexp(t, `^lost: told that operation 0x0+1 landed, and the chain does not have it
job 1 of `+someone.Hex()+`:
    12:00:00.000 slot 0 life 0: began
    12:00:01.000 slot 0 life 0: signed operation 0x0+1
    12:00:05.000 slot 0 life 0: landed operation 0x0+1
$`, problems[0].String())
}

func TestSecretsAreFound(t *testing.T) {
	secret := bytes.Repeat([]byte{0xA7, 3}, 16)
	var s secrets
	s.addKey("the key", secret)
	s.add("the password", "correct horse")
	for name, text := range map[string]string{
		"hex":    "key=0x" + hex.EncodeToString(secret),
		"HEX":    hex.EncodeToString(secret[:0]) + "A703A703A703A703A703A703A703A703A703A703A703A703A703A703A703A703",
		"bytes":  "before" + string(secret) + "after",
		"base64": "pwOnA6cDpwOnA6cDpwOnA6cDpwOnA6cDpwOnA6cDpwM",
		"%v":     "[167 3 167 3 167 3 167 3 167 3 167 3 167 3 167 3 167 3 167 3 167 3 167 3 167 3 167 3 167 3 167 3]",
	} {
		require.Equal(t, []string{"the key"}, s.in([]byte(text)), name)
	}
	require.Empty(t, s.in([]byte("0x"+hex.EncodeToString(secret[:31]))))

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "worker.out"), []byte("panic: postgres://u:correct horse@h"), 0o600))
	_, problems, err := s.search(dir)
	require.NoError(t, err)
	require.Equal(t, []problem{{what: "leaked", text: "the password is in worker.out"}}, problems)
}

func TestVitals(t *testing.T) {
	require.Empty(t, checkVitals([]event{{Vitals: &vitals{GoroutinesAtStart: 3, GoroutinesAtEnd: 3, PeakMemory: mostMemory}}}))
	require.Equal(t, "goroutines", checkVitals([]event{{Vitals: &vitals{GoroutinesAtStart: 3, GoroutinesAtEnd: 4}}})[0].what)
	require.Equal(t, "memory", checkVitals([]event{{Vitals: &vitals{PeakMemory: mostMemory + 1}}})[0].what)
}

// TestLedger shows what a killed process leaves to its successor: all but a line that is not whole.
func TestLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	l, events, err := openLedger(path, 4, 1)
	require.NoError(t, err)
	require.Empty(t, events)
	for _, e := range []event{
		{Kind: began, Job: 1, User: someone}, {Kind: signed, Job: 1, Hash: first},
		{Kind: began, Job: 2, User: someone}, {Kind: signed, Job: 2, Hash: second}, {Kind: refused, Job: 2, Hash: second},
		{Kind: began, Job: 3, User: someone}, {Kind: landed, Job: 3},
	} {
		require.NoError(t, l.write(e))
	}
	_, err = l.file.WriteString(`{"kind":"landed","jo`)
	require.NoError(t, err)
	require.NoError(t, l.close())

	l, events, err = openLedger(path, 4, 2)
	require.NoError(t, err)
	open, ops, last := openJobs(events)
	require.Len(t, open, 2)
	require.Equal(t, first, ops[1][len(ops[1])-1].Hash)
	require.Nil(t, ops[2], "what was refused is not sent again")
	require.Equal(t, uint64(3), last)
	require.NoError(t, l.write(event{Kind: landed, Job: 1}))
	require.NoError(t, l.close())

	follow := follower{path: path}
	events, err = follow.read()
	require.NoError(t, err)
	require.Len(t, events, 8)
	require.Equal(t, 2, events[7].Life)
}

func TestFlags(t *testing.T) {
	for args, want := range map[string]string{
		"now":                         `unexpected argument "now"`,
		"-store=redis":                `-store "redis" is none of memory, file and postgres`,
		"-way=teleport":               `-way "teleport" is not known`,
		"-way=send":                   "would not know what it sent",
		"-users=1":                    "have to be greater",
		"-store=memory -way=send -v":  "",
		"-sends=5000 -seed=7 -for=1h": "",
	} {
		_, err := parse(strings.Fields(args), &bytes.Buffer{})
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
		}
	}
}
