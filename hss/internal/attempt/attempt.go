// Package attempt remembers recent attempts of handsets, known here or not, to register, and states in words how far each has come: the
// first thing to look at when a handset does not register.
package attempt

import (
	"container/list"
	"slices"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
)

// Kind is a command by which a CSCF asks about a registration, or its purpose.
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
)

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
	maxSteps    = 24   // of a handset: eight attempts that end at the challenge, and more
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
	a.PublicIdentity = public

	if len(a.Steps) == maxSteps {
		a.Steps = slices.Delete(a.Steps, 0, 1)
	}

	a.Steps = append(a.Steps, s)
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
