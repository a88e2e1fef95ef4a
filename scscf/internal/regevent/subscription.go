package regevent

import (
	"strconv"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
	"github.com/dialtone-ims/dialtone/scscf/internal/schedule"
)

// subscription is one watcher of one public identity.
type subscription struct {
	server  *Server
	expiry  schedule.Entry
	dialog  *sip.Dialog
	key     dialogKey
	public  string // the watched identity, canonical
	watcher string // the watcher's identity, for the log
	event   string // Event header value, with its id if it has one

	mu         sync.Mutex
	remoteCSeq uint32
	expires    time.Time
	version    uint32
	shown      *registration.Registration // what the watcher was last sent
	pending    []registration.Change
	left       []registrationElement // of a document that was too large for one NOTIFY
	full       bool                  // the next NOTIFY has the whole state
	terminated string                // reason of Subscription-State: terminated, once it is
	sending    bool
	timeouts   int // NOTIFYs in a row that nobody answered
}

// dialogKey is the key of a subscription by the dialog of its SUBSCRIBEs.
type dialogKey struct{ callID, localTag, remoteTag string }

const (
	maxPending  = 8 // changes; beyond that the next NOTIFY has the whole state
	maxTimeouts = 3 // a handset in idle mode takes seconds to page: one lost NOTIFY ends nothing
)

// tell queues a change; call reports whether a worker has to be called.
func (s *subscription) tell(c registration.Change) (call bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.terminated != "" || s.knows(c.After) {
		return false
	}

	if len(s.pending) == maxPending {
		s.pending, s.full = s.pending[1:], true
	}

	s.pending = append(s.pending, c)

	if c.After == nil || c.After.State != registration.Registered {
		s.terminated = "noresource" // RFC 6665 §4.1.3: there is nothing left to watch
	}

	return s.call()
}

// knows reports whether the watcher has already seen a change, because it subscribed while the change was on its way here. It is called
// with the lock held.
func (s *subscription) knows(after *registration.Registration) bool {
	return after != nil && s.version > 0 && s.shown != nil && after.Sequence <= s.shown.Sequence
}

// call marks the subscription as being handled by a worker. It is called with the lock held.
func (s *subscription) call() bool {
	if s.sending {
		return false
	}

	s.sending = true

	return true
}

// next returns the NOTIFY that is due, or nil if there is none.
func (s *subscription) next(now time.Time) (request *sip.Request, last bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if len(s.pending) == 0 && len(s.left) == 0 && !s.full && s.terminated == "" {
		s.sending = false
		return nil, false, nil
	}

	user, found := s.server.registrations.Lookup(s.public)
	user.Registration = user.Visible()

	if s.terminated == "" && (!found || user.State != registration.Registered) { // it ended while the watcher came
		s.terminated = "noresource"
	}

	document := reginfo{State: "partial", Registrations: s.left}

	if len(s.left) == 0 || s.full {
		document = s.document(user.Registration, now)
		s.pending, s.full = nil, false
	}

	var body []byte

	if body, s.left, err = document.portion(s.version, s.server.maxBody); err != nil {
		return nil, true, err
	}

	s.version++
	last = s.terminated != "" && len(s.left) == 0 && len(s.pending) == 0

	if request, err = s.dialog.NewRequest("NOTIFY"); err != nil {
		return nil, true, err
	}

	state := "active;expires=" + strconv.Itoa(int(max(0, s.expires.Sub(now).Round(time.Second)/time.Second)))
	if last {
		state = "terminated;reason=" + s.terminated
	}

	sip.Set(request, "Event", s.event)
	sip.Set(request, "Subscription-State", state)
	sip.Set(request, "Contact", "<"+s.server.contact+">")
	sip.Set(request, "P-Charging-Vector", ims.ChargingVector{ICID: ims.NewICID(), OriginatingIOI: s.server.homeDomain}.String())
	sip.Set(request, "Content-Type", contentType)
	request.SetBody(body)

	return request, last, nil
}

// document returns the whole state or the change alone. It is called with the lock held.
func (s *subscription) document(current *registration.Registration, now time.Time) reginfo {
	changes := s.pending

	before := s.shown
	if len(changes) > 0 && changes[0].Before != nil {
		before = changes[0].Before
	}

	if current != nil {
		s.shown = current
	}

	if len(changes) == 1 && !s.full && s.server.policy.Partial {
		return partial(changes[0], now)
	}

	var happened []registration.ContactChange
	for _, c := range changes {
		happened = append(happened, c.Contacts...)
	}

	return full(current, before, happened, now)
}

// answered handles the outcome of a NOTIFY, and reports whether the subscription is over because of it (RFC 6665 §4.2.2, RFC 5057 §5.1).
func (s *subscription) answered(response *sip.Response) (over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if stack.Local(response) {
		s.timeouts++
		s.full = true // its content must be sent again

		return s.timeouts >= maxTimeouts
	}

	s.timeouts = 0

	switch response.StatusCode {
	case 404, 410, 416, 481, 482, 483, 484, 485, 489, 501, 604:
		return true
	default:
		return false
	}
}

// Due ends the subscription. It is called by the schedule when the subscription has not been refreshed.
func (s *subscription) Due(time.Time) { s.server.end(s, "timeout") }
