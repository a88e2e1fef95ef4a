// Package attempt remembers recent attempts of handsets, known here or not, to register and to attach, and states in words how far each
// has come: the first thing to look at when a handset does not register.
package attempt

import (
	"container/list"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

// Kind is a command by which a CSCF, an MME or an AAA server asks about a handset, or its purpose.
type Kind string

// The kinds; SARs are named by Server-Assignment-Type (TS 29.229 §6.3.15).
const (
	Authorization         Kind = "UAR"
	Capabilities          Kind = "UAR capabilities"
	Leaving               Kind = "UAR de-registration"
	Challenge             Kind = "MAR"
	Resynchronisation     Kind = "MAR with AUTS"
	Registration          Kind = "SAR REGISTRATION"
	ReRegistration        Kind = "SAR RE_REGISTRATION"
	Timeout               Kind = "SAR TIMEOUT_DEREGISTRATION"
	Deregistration        Kind = "SAR USER_DEREGISTRATION"
	Administrative        Kind = "SAR ADMINISTRATIVE_DEREGISTRATION"
	AuthenticationFailure Kind = "SAR AUTHENTICATION_FAILURE"
	AuthenticationTimeout Kind = "SAR AUTHENTICATION_TIMEOUT"

	// What an MME asks (TS 29.272).
	MMEChallenge         Kind = "AIR"
	MMEResynchronisation Kind = "AIR with AUTS"
	LocationUpdate       Kind = "ULR"
	Purge                Kind = "PUR"

	// What an AAA server asks (TS 29.273); its SARs are named as those of Cx.
	AAAChallenge         Kind = "MAR" + ofAAA
	AAAResynchronisation Kind = "MAR with AUTS" + ofAAA
	AAARegistration           = Registration + ofAAA
	AAADeregistration         = Deregistration + ofAAA
	AAATimeout                = Timeout + ofAAA
	AAAAdministrative         = Administrative + ofAAA
	AAAFailure                = AuthenticationFailure + ofAAA
	AAAAuthTimeout            = AuthenticationTimeout + ofAAA
	AAARestoration       Kind = "SAR RESTORATION" + ofAAA
	AAAGateway           Kind = "SAR PGW_UPDATE" + ofAAA
)

const ofAAA = " (SWx)"

// way is a network that a handset uses.
type way int

const (
	ims way = iota
	lte
	wifi
)

// way returns the network in which a step is one.
func (k Kind) way() way {
	switch {
	case k == MMEChallenge, k == MMEResynchronisation, k == LocationUpdate, k == Purge:
		return lte
	case strings.HasSuffix(string(k), ofAAA):
		return wifi
	default:
		return ims
	}
}

// Step is one such command, and its answer.
type Step struct {
	Time   time.Time       `json:"time"`
	Kind   Kind            `json:"kind"`
	Result diameter.Result `json:"-"`
	Reason string          `json:"reason,omitempty"` // of a refusal
	Took   time.Duration   `json:"-"`                // until the answer
}

// Attempt is what one handset has tried.
type Attempt struct {
	PrivateIdentity string
	PublicIdentity  string // of the last step
	Steps           []Step // the last ones, oldest first
}

const (
	maxAttempts = 1000 // handsets; the one silent for longest is dropped
	maxSteps    = 24   // of a handset in each network: eight attempts that end at the challenge, and more
)

// Log holds the attempts that this process has seen since its start.
type Log struct {
	since time.Time

	mu     sync.Mutex
	newest *list.List // of *Attempt
	all    map[string]*list.Element
}

// NewLog returns an empty log.
func NewLog() *Log {
	return &Log{since: time.Now(), newest: list.New(), all: map[string]*list.Element{}}
}

// Since returns when the log began.
func (l *Log) Since() time.Time { return l.since }

// Record records a step of a handset that began at a time, and its answer: the result, unless err is not nil.
func (l *Log) Record(began time.Time, private, public string, kind Kind, result diameter.Result, err error) {
	now := time.Now()
	step := Step{Time: now, Kind: kind, Result: result, Took: now.Sub(began)}

	if err != nil {
		refusal := diameter.ResultOf(err)
		step.Result, step.Reason = refusal.Result, refusal.Message

		if step.Reason == "" {
			step.Reason = err.Error()
		}
	}

	l.Add(private, public, step)
}

// Add records a step of a handset.
func (l *Log) Add(private, public string, s Step) {
	if private == "" {
		return
	}

	l.mu.Lock()
	defer l.mu.Unlock()

	element := l.all[private]
	if element == nil {
		if len(l.all) == maxAttempts {
			delete(l.all, l.newest.Remove(l.newest.Back()).(*Attempt).PrivateIdentity)
		}

		element = l.newest.PushFront(&Attempt{PrivateIdentity: private, Steps: make([]Step, 0, maxSteps)})
		l.all[private] = element
	}

	l.newest.MoveToFront(element)

	a := element.Value.(*Attempt)
	if public != "" {
		a.PublicIdentity = public
	}

	a.makeRoom(s.Kind.way())

	a.Steps = append(a.Steps, s)
}

// makeRoom forgets the first step in a network if there are enough, so that a handset that tries one again and again hides nothing of
// another.
func (a *Attempt) makeRoom(in way) {
	count, first := 0, -1

	for i, s := range a.Steps {
		if s.Kind.way() != in {
			continue
		}

		if first < 0 {
			first = i
		}

		count++
	}

	if count == maxSteps {
		a.Steps = slices.Delete(a.Steps, first, first+1)
	}
}

// List returns the attempts of one private identity, or all if it is "", the latest first.
func (l *Log) List(private string) []Attempt {
	l.mu.Lock()
	defer l.mu.Unlock()

	found := []Attempt{}

	for e := l.newest.Front(); e != nil; e = e.Next() {
		a := *e.Value.(*Attempt)
		if private != "" && a.PrivateIdentity != private {
			continue
		}

		a.Steps = slices.Clone(a.Steps)
		found = append(found, a)
	}

	return found
}
