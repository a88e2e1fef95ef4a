package handset

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// registration is what the network's 200 says.
type registration struct {
	callID       string
	tag          string
	cseq         uint32
	count        uint32 // of the nonce
	challenge    digest.Challenge
	password     []byte
	ck, ik       [16]byte
	identities   []string
	serviceRoute []string
	until        time.Time
}

func (s registration) identity() string {
	if len(s.identities) == 0 {
		return ""
	}

	return s.identities[0]
}

// route adds what every request outside a dialog has (TS 24.229 §5.1.2A.1). Without a registration there is nothing to add.
func (s registration) route(r *sip.Request) {
	if len(s.identities) == 0 {
		return
	}

	for i := len(s.serviceRoute) - 1; i >= 0; i-- {
		sip.Prepend(r, "Route", s.serviceRoute[i])
	}

	sip.Add(r, "P-Preferred-Identity", "<"+s.identity()+">")
}

// Refused is an unsuccessful final response.
type Refused struct{ Response *sip.Response }

// Error returns what the network answered and why. A response of the handset's own, because no answer came, is marked as such, with the
// Call-ID to look for in the core's logs.
func (e *Refused) Error() string {
	text := fmt.Sprintf("%d %s", e.Response.StatusCode, e.Response.Reason)
	if reason := sip.Value(e.Response, "Reason"); reason != "" {
		text += " (" + reason + ")"
	}

	if cause := stack.LocalCause(e.Response); cause != "" {
		text += fmt.Sprintf(" (not from the network: %s; Call-ID %s)", cause, sip.Value(e.Response, "Call-ID"))
	}

	return text
}

const maxChallenges = 4 // one, one more after AUTS, and a reserve

// Register registers the handset, or refreshes its registration (TS 24.229 §5.1.1.2, §5.1.1.4). Challenges are answered by the
// SIM: with RES, with AUTS when the SQN is stale, and not at all when the network is not its own.
func (h *Handset) Register(ctx context.Context) error { return h.register(ctx, h.config.Expires) }

// Deregister removes the registration (§5.1.1.6).
func (h *Handset) Deregister(ctx context.Context) error { return h.register(ctx, 0) }

func (h *Handset) register(ctx context.Context, expires uint32) error {
	h.mu.Lock()
	session := h.session
	h.mu.Unlock()

	if session.callID == "" {
		session.callID, session.tag = sip.NewCallID(), sip.NewTag()
	}

	way, err := h.way()
	if err != nil {
		return err
	}

	defer func() { way.leave() }()

	var credentials digest.Credentials

	for range maxChallenges {
		r, err := h.registerRequest(&session, credentials, expires, way)
		if err != nil {
			return err
		}

		patience := h.waits(func() string {
			return "no answer to the REGISTER yet: is there a P-CSCF at " + h.config.Proxy.String() + "?"
		})
		response, err := h.stack.Do(ctx, r, way.destination())

		patience()

		if err != nil {
			return err
		}

		if response.IsSuccess() {
			way.arrived(expires)
			return h.accept(session, response, expires)
		}

		if response.StatusCode == 423 {
			expires = sip.Seconds(sip.Value(response, "Min-Expires"), expires)
			continue
		}

		if response.StatusCode != 401 {
			h.setSession(session)
			return &Refused{response}
		}

		if credentials, err = h.answer(&session, response); err != nil {
			return err
		}

		if way, err = way.challenged(response, session, credentials.AUTS != ""); err != nil {
			return err
		}
	}

	return errors.New("the network challenges again and again")
}

func (h *Handset) registerRequest(session *registration, credentials digest.Credentials, expires uint32, way *way) (*sip.Request, error) {
	domain := "sip:" + h.config.Domain

	r, err := sip.NewRequest("REGISTER", domain)
	if err != nil {
		return nil, err
	}

	session.cseq++
	public := ims.TemporaryPublicIdentity(h.config.IMSI, h.config.Domain)

	if _, err := sip.Complete(r, fmt.Sprintf("<%s>;tag=%s", public, session.tag), "<"+public+">", session.callID, session.cseq); err != nil {
		return nil, err
	}

	switch {
	case credentials.Nonce != "":
	case session.challenge.Nonce != "" && session.password != nil: // the last challenge is still valid: TS 24.229 §5.1.1.4.1
		session.count++

		credentials, err = digest.Answer(session.challenge, h.private, session.password, "REGISTER", domain, nil, session.count, sip.NewTag())
		if err != nil {
			return nil, err
		}
	default:
		credentials = digest.Credentials{Username: h.private, Realm: h.config.Domain, URI: domain}
	}

	sip.Add(r, "Contact", h.contactHeader()+fmt.Sprintf(";expires=%d", expires))
	sip.Add(r, "Expires", fmt.Sprint(expires))
	sip.Add(r, "Authorization", credentials.String())
	sip.Add(r, "Supported", "path, gruu, outbound")

	if h.config.Access != "" {
		sip.Add(r, "P-Access-Network-Info", h.config.Access)
	}

	way.announce(r)
	h.alter(r)

	return r, nil
}

// answer makes the SIM answer a challenge (TS 33.203 §6.1, RFC 3310 §3).
func (h *Handset) answer(session *registration, response *sip.Response) (digest.Credentials, error) {
	challenge, err := digest.ParseChallenge(sip.Value(response, "WWW-Authenticate"))
	if err != nil {
		return digest.Credentials{}, err
	}

	rnd, autn, err := digest.ParseAKANonce(challenge.Nonce)
	if err != nil {
		return digest.Credentials{}, err
	}

	domain := "sip:" + h.config.Domain
	result, err := h.sim.Authenticate(rnd, autn)

	var stale *aka.SyncFailure
	if errors.As(err, &stale) {
		h.log.Info("SIM: SQN is stale, resynchronising", "imsi", h.config.IMSI)

		credentials, err := digest.Answer(challenge, h.private, nil, "REGISTER", domain, nil, 1, sip.NewTag())
		credentials.AUTS = digest.EncodeAUTS(stale.AUTS)

		return credentials, err
	}

	if err != nil {
		return digest.Credentials{}, fmt.Errorf("the SIM refuses the network: %w", err)
	}

	password, err := digest.AKAPassword(challenge.Algorithm, result.RES, result.IK, result.CK)
	if err != nil {
		return digest.Credentials{}, fmt.Errorf("the challenge: %w", err)
	}

	session.challenge, session.password, session.count = challenge, password, 1
	session.ck, session.ik = result.CK, result.IK

	return digest.Answer(challenge, h.private, password, "REGISTER", domain, nil, 1, sip.NewTag())
}

func (h *Handset) setSession(session registration) {
	h.mu.Lock()
	defer h.mu.Unlock()

	h.session.callID, h.session.tag, h.session.cseq = session.callID, session.tag, session.cseq
}

func (h *Handset) accept(session registration, response *sip.Response, expires uint32) error {
	granted := uint32(0)

	if expires > 0 {
		contacts, _, err := sip.Contacts(response)
		if err != nil {
			return err
		}

		for _, c := range contacts {
			if emergency.SameContact(c.URI, h.contact()) {
				if seconds, given := sip.Expires(c); given {
					granted = seconds
				} else {
					granted = expires
				}
			}
		}

		if granted == 0 {
			return fmt.Errorf("the 200 does not have the contact %s", h.contact())
		}
	}

	session.identities, session.serviceRoute = nil, sip.Values(response, "Service-Route")

	for _, value := range sip.Values(response, "P-Associated-URI") {
		if a, err := sip.ParseNameAddr(value); err == nil {
			session.identities = append(session.identities, a.URI)
		}
	}

	session.until = time.Now().Add(time.Duration(granted) * time.Second)

	h.mu.Lock()
	defer h.mu.Unlock()

	h.session = session

	return nil
}

// Identities returns the registered public identities as the network states them, the default one first.
func (h *Handset) Identities() []string {
	h.mu.Lock()
	defer h.mu.Unlock()

	return h.session.identities
}

// SubscribeReg subscribes to the handset's own reg event (TS 24.229 §5.1.1.3).
func (h *Handset) SubscribeReg(ctx context.Context) error {
	session, registered := h.registered()
	if !registered {
		return errNotRegistered
	}

	r, err := h.request("SUBSCRIBE", session.identity(), session.identity(), session.identity())
	if err != nil {
		return err
	}

	session.route(r)
	sip.Add(r, "Event", "reg")
	sip.Add(r, "Accept", "application/reginfo+xml")
	sip.Add(r, "Expires", fmt.Sprint(h.config.Expires))

	response, err := h.stack.Do(ctx, r, h.towards())
	if err != nil {
		return err
	}

	if !response.IsSuccess() {
		return &Refused{response}
	}

	return nil
}

// Forget resets the handset as if just switched on: its next REGISTER is an initial one.
func (h *Handset) Forget() {
	h.mu.Lock()
	defer h.mu.Unlock()

	h.session = registration{}

	if h.guard != nil {
		_ = h.guard.close()
	}
}
