package regevent

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// user is the user part of the Contact of this P-CSCF's subscriptions.
const user = "reg-event"

// subscription is the subscription to one user's registrations. The subscriber's lock is held wherever it changes.
type subscription struct {
	subscriber *Subscriber
	private    string
	public     string // watched: the default public identity

	callID, localTag, remoteTag string
	dialog                      *sip.Dialog // nil before the 2xx
	state                       state
	failures                    int // consecutive failed SUBSCRIBEs
	queued                      bool
	sending                     bool // a SUBSCRIBE waits for its answer
	more                        bool // another SUBSCRIBE follows the answer
	leaving                     bool // the user has no registration here any more
	over                        bool
	timer                       *time.Timer
}

const (
	longer       = 10 * time.Minute // a subscription lasts that much longer than the registration (TS 24.229 §5.2.3)
	firstRetry   = 30 * time.Second
	longestRetry = 10 * time.Minute
)

// after schedules do, in place of what was scheduled before. It is called, and calls do, with the lock held.
func (sub *subscription) after(wait time.Duration, do func()) {
	sub.stop()

	s := sub.subscriber

	var timer *time.Timer

	timer = time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()

		if sub.timer == timer && !sub.over {
			sub.timer = nil
			do()
		}
	})
	sub.timer = timer
}

func (sub *subscription) stop() {
	if sub.timer != nil {
		sub.timer.Stop()
		sub.timer = nil
	}
}

// subscribe sends one SUBSCRIBE and schedules the next.
func (s *Subscriber) subscribe(ctx context.Context, sub *subscription) {
	wanted := time.Duration(0)

	for _, b := range s.registrations.Of(sub.private) {
		if left := time.Until(b.Expires); b.Registered && left > 0 {
			wanted = max(wanted, left+longer)
		}
	}

	home, err := s.home(ctx) // before the lock: it resolves names

	s.mu.Lock()
	sub.queued = false

	if sub.over || sub.leaving || wanted <= 0 {
		s.mu.Unlock()
		return
	}

	sub.sending, sub.more = true, false
	defer s.sent(sub)

	var request *sip.Request

	destination := stack.Destination{Endpoint: s.endpoint}
	if sub.dialog != nil {
		request, err = sub.dialog.NewRequest("SUBSCRIBE")
	} else if err == nil {
		destination = home
		request, err = s.first(sub)
	}
	s.mu.Unlock()

	if err != nil {
		s.failed(sub, nil, err)
		return
	}

	s.describe(request, wanted)
	response, err := s.sender.Do(ctx, request, destination)

	switch {
	case ctx.Err() != nil:
	case err != nil || !response.IsSuccess():
		s.failed(sub, response, err)
	default:
		s.accepted(sub, request, response)
	}
}

// sent sends another SUBSCRIBE if one was wanted meanwhile: only one is pending at a time.
func (s *Subscriber) sent(sub *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if sub.sending = false; sub.more && !sub.leaving {
		s.submit(sub)
	}
}

// first makes the SUBSCRIBE that begins a subscription. It is called with the lock held.
func (s *Subscriber) first(sub *subscription) (*sip.Request, error) {
	delete(s.byCallID, sub.callID)
	sub.callID, sub.localTag, sub.remoteTag = sip.NewCallID(), sip.NewTag(), ""
	s.byCallID[sub.callID] = sub
	sub.state.resubscribed()

	r, err := sip.NewRequest("SUBSCRIBE", sub.public)
	if err != nil {
		return nil, err
	}

	return sip.Complete(r, "<sip:"+s.own+">;tag="+sub.localTag, "<"+sub.public+">", sub.callID, 1)
}

// describe adds what every SUBSCRIBE has (TS 24.229 §5.2.3).
func (s *Subscriber) describe(r *sip.Request, wanted time.Duration) {
	sip.Set(r, "Event", "reg")
	sip.Set(r, "Accept", contentType)
	sip.Set(r, "Expires", strconv.Itoa(int(wanted/time.Second)))
	sip.Set(r, "Contact", "<sip:"+user+"@"+s.own+">")
	sip.Set(r, "P-Asserted-Identity", "<sip:"+s.own+">")
	sip.Set(r, "P-Charging-Vector", ims.ChargingVector{ICID: ims.NewICID(), OriginatingIOI: s.network}.String())
}

// accepted handles a 2xx: the subscription is refreshed well before it ends (TS 24.229 §5.2.3).
func (s *Subscriber) accepted(sub *subscription, request *sip.Request, response *sip.Response) {
	s.subscribes.WithLabelValues(label.Status(response.StatusCode)).Inc()

	s.mu.Lock()
	defer s.mu.Unlock()

	if sub.over {
		return
	}

	sub.failures = 0

	if sub.dialog == nil {
		dialog, err := sip.NewDialogUAC(request, response)
		if err != nil {
			s.log.Warn("the 200 to the SUBSCRIBE for the reg event makes no dialog", "impi", sub.private, "cause", err)
			s.again(sub, longestRetry)

			return
		}

		sub.dialog = dialog
		sub.remoteTag, _ = response.To().Params.Get("tag")
	} else {
		sub.dialog.Refresh(response)
	}

	granted := time.Duration(sip.Seconds(sip.Value(response, "Expires"), uint32(longer/time.Second))) * time.Second

	switch {
	case sub.leaving:
	case granted > 2*longer:
		s.again(sub, granted-longer)
	default:
		s.again(sub, max(granted/2, time.Second))
	}
}

// failed handles a refusal, or no answer. The registration stands; only its end by the network goes unnoticed.
func (s *Subscriber) failed(sub *subscription, response *sip.Response, err error) {
	why := "unanswered"

	switch {
	case err != nil:
	case stack.Local(response):
		err = fmt.Errorf("%s", sip.Value(response, "Warning"))
	default:
		why = label.Status(response.StatusCode)
		err = fmt.Errorf("%d %s", response.StatusCode, sip.Value(response, "Reason"))
	}

	s.subscribes.WithLabelValues(why).Inc()

	s.mu.Lock()
	defer s.mu.Unlock()

	if sub.over || sub.leaving {
		return
	}

	if sub.failures++; sub.failures == 1 {
		s.log.Warn(
			"no subscription to the reg event: a de-registration by the network will not be seen here",
			"impi", sub.private,
			"impu", sub.public,
			"cause", err,
		)
	}

	gone := sub.dialog != nil && response != nil && !stack.Local(response)
	sub.dialog = nil

	if gone && sub.failures == 1 { // RFC 6665 §4.1.2.2: 481 and the like end the subscription, and a new one begins
		s.again(sub, 0)
		return
	}

	wait := firstRetry << min(sub.failures-1, 10)
	s.again(sub, min(wait, longestRetry))
}

// Takes reports whether a request from the core is for this subscriber.
func (s *Subscriber) Takes(r *sip.Request) bool {
	return r.Method == "NOTIFY" && r.Recipient.User == user
}

// HandleNotify serves a NOTIFY (RFC 6665 §4.1.3).
func (s *Subscriber) HandleNotify(tx sip.Answering) {
	r := tx.Request()

	if event, _ := sip.ValueParams(r, "Event"); !strings.EqualFold(event, "reg") {
		s.refuse(tx, sip.Refuse(489, "the event is not reg", sip.NewHeader("Allow-Events", "reg")))
		return
	}

	local, _ := r.To().Params.Get("tag")
	remote, _ := r.From().Params.Get("tag")

	s.mu.Lock()
	sub := s.byCallID[r.CallID().Value()]
	mine := sub != nil && sub.localTag == local && (sub.remoteTag == "" || sub.remoteTag == remote)
	s.mu.Unlock()

	if !mine {
		s.refuse(tx, sip.Refuse(481, "no such subscription"))
		return
	}

	var (
		d document
		o outcome
	)

	if len(r.Body()) > 0 {
		if kind, _ := sip.ValueParams(r, "Content-Type"); !strings.EqualFold(kind, contentType) {
			s.refuse(tx, sip.Refuse(415, "the document is no "+contentType, sip.NewHeader("Accept", contentType)))
			return
		}

		var err error
		if d, err = parse(r.Body()); err != nil {
			s.refuse(tx, sip.Refuse(400, "the document cannot be read").Because(err), "impi", sub.private)
			return
		}
	}

	s.mu.Lock()
	if len(r.Body()) > 0 {
		if o = sub.state.apply(d); o.Missed && !sub.leaving && !sub.over {
			s.again(sub, 0) // RFC 3680 §6.2: a refresh brings the whole state
		}
	}

	s.closed(sub, r)
	s.mu.Unlock()

	s.counted("", "", 200)
	_ = tx.Respond(sip.NewResponse(r, 200, ""))

	s.apply(sub.private, o)
}

func (s *Subscriber) refuse(tx sip.Answering, refusal *sip.Refusal, attributes ...any) {
	sip.Refuser{Log: s.log, Count: s.counted}.Refuse(tx, "reg event", refusal, attributes...)
}

func (s *Subscriber) counted(_, _ string, status int) {
	s.notifies.WithLabelValues(label.Status(status)).Inc()
}

// closed checks whether the notifier has ended the subscription, and whether a new one makes sense (RFC 6665 §4.1.3). It is called with the
// lock held.
func (s *Subscriber) closed(sub *subscription, notify *sip.Request) {
	state, params := sip.ValueParams(notify, "Subscription-State")
	if !strings.EqualFold(state, "terminated") {
		return
	}

	reason, _ := params.Get("reason")
	reason = strings.ToLower(reason)
	after, _ := params.Get("retry-after")
	retry := sip.Seconds(after, 0)

	sub.dialog = nil

	switch {
	case sub.over:
	case sub.leaving || reason == "rejected" || reason == "noresource" || reason == "invariant":
		s.forget(sub)
	case reason == "deactivated" || reason == "timeout":
		s.again(sub, time.Second)
	default: // probation, giveup, or no reason
		s.again(sub, max(time.Duration(retry)*time.Second, firstRetry))
	}
}
