package regevent

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/label"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/grammar"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// Takes reports whether a request is for this server: a SUBSCRIBE for the reg event of a user served here, or one within the dialog of a
// subscription. A SUBSCRIBE on its way from a user to another user is routed like a call.
func (s *Server) Takes(r *sip.Request, originating bool) bool {
	if r.Method != "SUBSCRIBE" || !strings.EqualFold(packageOf(r), "reg") {
		return false
	}

	if tag, within := r.To().Params.Get("tag"); within {
		return s.find(r, tag) != nil || r.Recipient.User == userPart(s.contact)
	}

	if !originating {
		return true
	}

	public, err := ims.CanonicalIdentity(r.Recipient.String())
	if err != nil {
		return true // it is refused in the right words
	}

	user, found := s.registrations.Lookup(public)

	for _, asserted := range assertedBy(r) {
		canonical, err := ims.CanonicalIdentity(asserted)
		if err == nil && (canonical == public || found && user.Find(canonical) != nil) {
			return true
		}
	}

	return false
}

func userPart(uri string) string {
	u, err := sip.ParseURI(uri)
	if err != nil {
		return ""
	}

	return u.User
}

func packageOf(r *sip.Request) string {
	name, _ := sip.ValueParams(r, "Event")
	return name
}

func (s *Server) find(r *sip.Request, localTag string) *subscription {
	remote, _ := r.From().Params.Get("tag")

	s.mu.Lock()
	defer s.mu.Unlock()

	return s.byDialog[dialogKey{r.CallID().Value(), localTag, remote}]
}

// HandleSubscribe serves a SUBSCRIBE (RFC 6665 §4.2.1, TS 24.229 §5.4.2.1.1).
func (s *Server) HandleSubscribe(ctx context.Context, tx sip.Answering) {
	r := tx.Request()

	if accept := sip.Values(r, "Accept"); len(accept) > 0 && !accepts(accept) {
		s.refuse(tx, sip.Refuse(406, "the watcher does not accept "+contentType))
		return
	}

	expires, refusal := s.expires(r)
	if refusal != nil {
		s.refuse(tx, refusal)
		return
	}

	if tag, within := r.To().Params.Get("tag"); within {
		s.refresh(tx, tag, expires)
		return
	}

	s.subscribe(ctx, tx, expires)
}

func accepts(values []string) bool {
	for _, v := range values {
		kind, _, err := grammar.ParseValue(v)
		if err != nil {
			continue
		}

		switch strings.ToLower(kind) {
		case contentType, "application/*", "*/*":
			return true
		}
	}

	return false
}

const defaultExpires = 3761 // seconds, RFC 3680 §4.3

// expires returns the duration that a SUBSCRIBE asks for, within the limits of the policy.
func (s *Server) expires(r *sip.Request) (time.Duration, *sip.Refusal) {
	wanted := time.Duration(sip.Seconds(sip.Value(r, "Expires"), defaultExpires)) * time.Second

	if wanted > 0 && wanted < s.policy.MinExpires {
		return 0, sip.Refuse(423, "the watcher wants to subscribe for less than "+s.policy.MinExpires.String(),
			sip.NewHeader("Min-Expires", strconv.Itoa(int(s.policy.MinExpires/time.Second))))
	}

	return min(wanted, s.policy.MaxExpires), nil
}

// refresh prolongs or ends a subscription.
func (s *Server) refresh(tx sip.Answering, tag string, expires time.Duration) {
	r := tx.Request()

	sub := s.find(r, tag)
	if sub == nil {
		s.refuse(tx, sip.Refuse(481, "no such subscription"))
		return
	}

	now := time.Now()

	sub.mu.Lock()
	late, over := r.CSeq().SeqNo <= sub.remoteCSeq, sub.terminated != ""
	if !late && !over {
		sub.remoteCSeq, sub.expires = r.CSeq().SeqNo, now.Add(expires)
		sub.full = true
	}
	sub.mu.Unlock()

	switch {
	case over:
		s.refuse(tx, sip.Refuse(481, "the subscription has ended"))
		return
	case late:
		s.refuse(tx, sip.Refuse(500, "the SUBSCRIBE is older than the one before"))
		return
	}

	sub.dialog.Refresh(r)
	s.accept(tx, sip.NewResponse(r, 200, ""), expires)
	s.announce(sub, expires)
}

// announce sets the expiry of a subscription and sends its state.
func (s *Server) announce(sub *subscription, expires time.Duration) {
	if expires == 0 {
		s.end(sub, "timeout") // RFC 6665 §4.1.2.3, §4.2.1.4
		return
	}

	s.schedule.Set(&sub.expiry, sub, time.Now().Add(expires))

	sub.mu.Lock()
	call := sub.call()
	sub.mu.Unlock()

	if call {
		s.work.Add(func(ctx context.Context) { s.notify(ctx, sub) })
	}
}

// subscribe creates a subscription.
func (s *Server) subscribe(ctx context.Context, tx sip.Answering, expires time.Duration) {
	r := tx.Request()

	public, err := ims.CanonicalIdentity(r.Recipient.String())
	if err != nil {
		s.refuse(tx, sip.Refuse(404, "the Request-URI is no public identity"))
		return
	}

	user, found, err := s.registrations.Registered(ctx, public)
	if err != nil {
		s.refuse(tx, sip.Refuse(503, "the profile of "+public+" cannot be had now: "+err.Error(), sip.NewHeader("Retry-After", "5")))
		return
	}

	if !found {
		s.refuse(tx, sip.Refuse(480, public+" is not registered here"))
		return
	}

	watcher, allowed := s.allowed(r, user)
	if !allowed {
		s.refuse(tx, sip.Refuse(403, "P-Asserted-Identity names neither the user, nor the user's P-CSCF, nor an application server of the user"))
		return
	}

	response := sip.NewResponse(r, 200, "")

	dialog, err := sip.NewDialogUAS(r, response)
	if err != nil {
		s.refuse(tx, sip.Refuse(400, "the SUBSCRIBE makes no dialog: "+err.Error()))
		return
	}

	local, _ := response.To().Params.Get("tag")
	remote, _ := r.From().Params.Get("tag")
	sub := &subscription{
		server: s, dialog: dialog, key: dialogKey{strings.Clone(r.CallID().Value()), local, strings.Clone(remote)}, public: strings.Clone(public),
		watcher: strings.Clone(
			watcher,
		), event: strings.Clone(sip.Value(r, "Event")), remoteCSeq: r.CSeq().SeqNo, expires: time.Now().Add(expires),
		shown: user.Registration, full: true,
	}

	if refusal := s.add(sub, user); refusal != nil {
		s.refuse(tx, refusal)
		return
	}

	s.accept(tx, response, expires)
	s.announce(sub, expires)
}

// add adds a subscription, unless a limit is reached.
func (s *Server) add(sub *subscription, user registration.User) *sip.Refusal {
	s.mu.Lock()
	defer s.mu.Unlock()

	own := 0
	for i := range user.Identities {
		own += len(s.byPublic[user.Identities[i].URI])
	}

	switch {
	case own >= s.policy.MaxPerUser:
		return sip.Refuse(503, "the user has as many watchers as reg_event.max_per_user allows")
	case len(s.byDialog) >= s.policy.MaxSubscriptions:
		return sip.Refuse(503, "there are as many subscriptions as reg_event.max_subscriptions allows")
	}

	s.byDialog[sub.key] = sub
	s.byPublic[sub.public] = append(s.byPublic[sub.public], sub)

	return nil
}

// accept answers 200.
func (s *Server) accept(tx sip.Answering, response *sip.Response, expires time.Duration) {
	sip.Set(response, "Expires", strconv.Itoa(int(expires/time.Second)))
	sip.Set(response, "Contact", "<"+s.contact+">")
	s.respond(tx, response)
}

func (s *Server) refuse(tx sip.Answering, refusal *sip.Refusal) {
	sip.Refuser{Log: s.log, Count: s.counted}.Refuse(tx, "reg event", refusal, "asserted", strings.Join(assertedBy(tx.Request()), " "))
}

func (s *Server) counted(_, _ string, status int) {
	s.subscribes.WithLabelValues(label.Status(status)).Inc()
}

func (s *Server) respond(tx sip.Answering, response *sip.Response) {
	s.counted("", "", response.StatusCode)

	if err := tx.Respond(response); err != nil {
		s.log.Warn("the answer to a SUBSCRIBE could not be sent", "cause", err)
	}
}
