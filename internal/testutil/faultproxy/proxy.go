package faultproxy

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what proxy to start. Target and Role are required.
type Config struct {
	// Target is the URL of the real service.
	Target string
	Role   Role
	// Seed decides which requests meet which faults.
	Seed uint64
	// PerMille is how many of a thousand requests meet a fault, of those that it makes sense for: a kind that
	// changes receipts counts among the requests for receipts. Nil is [Default].
	PerMille map[Kind]int
	// Methods are the only ones whose requests meet faults, a batch by its first; nil is all.
	Methods []string
	// Log is told every fault that was done, from many goroutines at once; nil for silence.
	Log func(Event)
}

// Event is a fault that was done.
type Event struct {
	Kind Kind
	// Method is what was asked, the first of a batch.
	Method string
	Time   time.Time
}

// Proxy stands before a service. It is safe for concurrent use.
type Proxy struct {
	cfg    Config
	faults []fault
	secret string
	door   *door
	other  *door // where redirects lead
	client http.Client
	pool   *http.Transport
	stop   context.Context
	end    context.CancelFunc
	calm   atomic.Bool
	led    atomic.Int64
	bomb   func() []byte
	wg     sync.WaitGroup // what is being answered

	mu      sync.Mutex
	closed  bool
	arrived uint64
	asked   map[string]uint64 // how often, by method
	counts  map[Kind]int
	held    map[*held]struct{}
	nulls   map[string]int // how often a hash still is null
	others  [][]byte       // the last receipts that passed
	chainID uint64         // 0 while unknown
}

const (
	maxRequest = 16 << 20
	maxAnswer  = 64 << 20
	maxMethods = 256
	maxNulls   = 1024
	maxOthers  = 16
	// longestForward bounds a request to the service, which goes on where its client gave up.
	longestForward = time.Minute
	shutFor        = 100 * time.Millisecond
)

// Start starts a proxy on a port of 127.0.0.1; the caller closes it.
func Start(cfg Config) (*Proxy, error) {
	target, err := url.Parse(cfg.Target)
	if err != nil || target.Scheme != "http" && target.Scheme != "https" {
		return nil, errors.New("fault proxy: the target is no http or https URL")
	}
	if cfg.PerMille == nil {
		cfg.PerMille = Default(cfg.Role)
	}
	p := &Proxy{
		cfg:    cfg,
		faults: faultsOf(cfg.Role),
		pool:   &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, DisableCompression: true},
		asked:  make(map[string]uint64),
		counts: make(map[Kind]int),
		held:   make(map[*held]struct{}),
		nulls:  make(map[string]int),
		bomb:   sync.OnceValue(pack),
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("fault proxy: %w", err)
	}
	p.client = http.Client{Transport: p.pool, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	key := make([]byte, 16)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("fault proxy: %w", err)
	}
	p.secret = "key-" + hex.EncodeToString(key)
	p.stop, p.end = context.WithCancel(context.Background())
	if p.door, err = openDoor(p.stop, http.HandlerFunc(p.serve)); err == nil {
		p.other, err = openDoor(p.stop, http.HandlerFunc(p.elsewhere))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("fault proxy: %w", err), p.Close())
	}
	return p, nil
}

// check refuses a mix that cannot be done.
func (p *Proxy) check() error {
	if len(p.faults) == 0 {
		return fmt.Errorf("there is no role %q", p.cfg.Role)
	}
	known, sum := Default(p.cfg.Role), 0
	for kind, n := range p.cfg.PerMille {
		if _, ok := known[kind]; !ok {
			return fmt.Errorf("%s is no fault of a %s", kind, p.cfg.Role)
		}
		if n < 0 || n > 1000 {
			return fmt.Errorf("%d of a thousand requests cannot meet %s", n, kind)
		}
		sum += n
	}
	if sum > 1000 {
		return fmt.Errorf("%d of a thousand requests cannot meet a fault", sum)
	}
	return nil
}

// URL is what the service's client is given. It ends in [Proxy.Secret]; requests without it are answered with
// 404.
func (p *Proxy) URL() string { return "http://" + p.door.addr + "/v2/" + p.secret }

// Secret is the key in the URL, which must be in no error and no log. What gateways say quotes it.
func (p *Proxy) Secret() string { return p.secret }

// Calm ends the faults, or begins them again. A calm proxy forwards faithfully; faults that were begun go on.
func (p *Proxy) Calm(calm bool) {
	p.calm.Store(calm)
	if calm {
		p.mu.Lock()
		clear(p.nulls)
		p.mu.Unlock()
		_ = p.door.open() // where that fails, what shut it tries again
	}
}

// Shut refuses connections for a while, as a service does that is gone, and ends the idle ones; what is being
// answered goes on. It reports false where the proxy does so already.
func (p *Proxy) Shut(during time.Duration) bool { return p.door.shut(during) }

// Counts returns how many faults were done of each kind.
func (p *Proxy) Counts() map[Kind]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts)
}

// FollowedRedirects returns how many requests came to where redirects lead.
func (p *Proxy) FollowedRedirects() int { return int(p.led.Load()) }

// Close ends everything, also what is being answered. A second call does nothing.
func (p *Proxy) Close() error {
	p.mu.Lock()
	closed := p.closed
	p.closed = true
	p.mu.Unlock()
	p.end()
	if closed {
		return nil
	}
	var failed error
	for _, d := range []*door{p.door, p.other} {
		if d != nil {
			failed = errors.Join(failed, d.close())
		}
	}
	p.wg.Wait()
	p.pool.CloseIdleConnections()
	return failed
}

// begin counts a request in, unless the proxy is being closed.
func (p *Proxy) begin() (arrival uint64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, false
	}
	p.wg.Add(1)
	p.arrived++
	return p.arrived, true
}

func (p *Proxy) elsewhere(w http.ResponseWriter, r *http.Request) {
	p.led.Add(1)
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":"0x1"}`)
}

// serve answers a request, with a fault or faithfully.
func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	arrival, ok := p.begin()
	if !ok {
		return
	}
	defer p.wg.Done()
	x := &exchange{Proxy: p, w: w, r: r, arrival: arrival}
	defer x.overtake()
	if r.URL.Path != "/v2/"+p.secret {
		http.Error(w, "there is nothing at "+r.URL.Path, http.StatusNotFound)
		return
	}
	if !x.read() {
		return
	}
	if f, ok := p.choose(x); ok && f.do(x) {
		return
	}
	if answer, err := x.forward(); err != nil {
		x.reset() // as the service does
	} else {
		x.write(answer)
	}
}

// choose draws the fault of a request, from those that make sense for it.
func (p *Proxy) choose(x *exchange) (fault, bool) {
	method := x.method()
	p.mu.Lock()
	if _, known := p.asked[method]; !known && len(p.asked) >= maxMethods {
		method = ""
	}
	n := p.asked[method]
	p.asked[method]++
	p.mu.Unlock()
	name := fnv.New64a()
	_, _ = io.WriteString(name, method)
	x.rand = mathrand.New(mathrand.NewPCG(p.cfg.Seed^name.Sum64(), n))
	drawn := x.rand.IntN(1000)
	if p.calm.Load() || p.cfg.Methods != nil && !slices.Contains(p.cfg.Methods, x.method()) {
		return p.stillNull(x)
	}
	for _, f := range p.faults {
		if f.applies != nil && !f.applies(x) {
			continue
		}
		if drawn -= p.cfg.PerMille[f.kind]; drawn < 0 {
			x.kind = f.kind
			return f, true
		}
	}
	return p.stillNull(x)
}
