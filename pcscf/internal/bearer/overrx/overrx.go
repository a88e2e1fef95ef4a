// Package overrx requests bearers of a PCRF over Rx (TS 29.214 §4.4).
package overrx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
)

// Config is which PCRF is asked, and how.
type Config struct {
	Realm string // the PCRF's
	Host  string // "": whoever serves the realm
	APN   string // Called-Station-Id; "": not sent

	Location bool // ask where the UE is
}

// PCRF is a bearer.Authority.
type PCRF struct {
	config Config
	node   *diameter.Node
}

// New returns a PCRF reached through a node whose applications include rx.Application.
func New(c Config, node *diameter.Node) *PCRF { return &PCRF{config: c, node: node} }

// NewID returns a Session-Id.
func (p *PCRF) NewID() string { return p.node.NewSessionID() }

// Ask sends an AAR.
func (p *PCRF) Ask(ctx context.Context, q *bearer.Request) (*bearer.Grant, error) {
	answer, err := diameter.Call[rx.AAA](ctx, p.node, p.config.request(q))

	switch {
	case errors.Is(err, diameter.ErrLost): // it may have been granted
		return nil, err
	case errors.Is(err, diameter.ErrUnroutable):
		return nil, &bearer.Refusal{Code: diameter.UnableToDeliver.Code, Why: "no PCRF is connected", Undone: true}
	case errors.Is(err, diameter.ErrTooLarge):
		return nil, &bearer.Refusal{
			Code:   diameter.InvalidMessageLength.Code,
			Why:    "the request would be longer than max_message",
			Undone: true,
		}
	case err != nil:
		return nil, err
	case !answer.Result.Successful():
		return nil, p.config.refusal(q, answer)
	}

	return &bearer.Grant{
		Handle: bearer.Handle{ID: q.ID, Server: answer.OriginHost, Classes: answer.Classes},
		Access: accessOf(answer.IPCANType, answer.RATType),
	}, nil
}

// End sends an STR. Any answer of the PCRF ends the session: one that it does not know is gone as well (RFC 6733 §8.4). The answer of a
// relay that could not forward the STR does not count.
func (p *PCRF) End(ctx context.Context, h bearer.Handle) error {
	q := &rx.STR{Cause: rx.Logout, Classes: h.Classes}
	q.SessionID, q.DestinationRealm, q.DestinationHost = h.ID, p.config.Realm, h.Server

	answer, err := diameter.Call[rx.STA](ctx, p.node, q)
	if err == nil && undone(answer.Result) {
		err = answer.Result
	}

	return err
}

// undone reports whether a result is a protocol error: the answering node has not processed the request (RFC 6733 §7.1.3).
func undone(r diameter.Result) bool { return r.Vendor == 0 && r.Code/1000 == 3 }

// refusal returns the refusal in an AAA, with what to check.
func (c *Config) refusal(q *bearer.Request, a *rx.AAA) *bearer.Refusal {
	r := &bearer.Refusal{
		Code:    a.Result.Code,
		Name:    rx.Name(a.Result),
		Unknown: a.Result.Code == rx.UnknownSessionID.Code,
		Undone:  undone(a.Result),

		Elsewhere: a.Result.Code == rx.IPCANSessionNotAvailable.Code || a.Result.Code == diameter.UnknownPeer.Code,
		Retry:     time.Duration(a.RetryInterval) * time.Second,
	}

	r.Why = strings.TrimSpace(fmt.Sprintf("the PCRF answers %d %s", r.Code, r.Name))
	if cause := c.cause(q, r.Code); cause != "" {
		r.Why += ": " + cause
	}

	if a.ErrorMessage != "" {
		r.Why += fmt.Sprintf(" (%q)", a.ErrorMessage)
	}

	return r
}

// cause returns the usual reason for a result, in a lab.
func (c *Config) cause(q *bearer.Request, code uint32) string {
	switch code {
	case rx.IPCANSessionNotAvailable.Code, diameter.UnknownPeer.Code:
		return fmt.Sprintf(
			"it has no PDN connection with the address %s: a NAT stands between the gateway and this P-CSCF, or the UE is on 5G"+
				" and its session is at the PCF, or the address is of another APN",
			q.Leg.UE,
		)
	case rx.ServiceNotAuthorized.Code:
		return "the subscriber's APN for IMS has no PCC rule for this media (QCI 1 for audio, QCI 2 for video), or the rule of the" +
			" signalling is missing"
	case rx.FilterRestrictions.Code:
		return "it does not take the packet filters"
	case rx.InvalidAVPValue.Code, rx.InvalidServiceInformation.Code:
		return "it does not take media of a kind that is asked for, or the UE's address in this form"
	case rx.UnknownSessionID.Code:
		return "it does not know the session"
	case rx.MissingAVP.Code, diameter.AVPUnsupported.Code:
		return "its dictionary wants other AVPs"
	default:
		return ""
	}
}

var (
	networks = map[rx.IPCANType]string{rx.EPS: "3GPP-EPS", rx.NonEPS: "Non-3GPP-EPS", rx.GPRS: "3GPP-GPRS", rx.FiveGS: "3GPP-5GS"}
	radios   = map[rx.RATType]string{rx.EUTRAN: "EUTRAN", rx.WLAN: "WLAN", rx.UTRAN: "UTRAN", rx.NR: "NR"}
)

func accessOf(network *rx.IPCANType, radio *rx.RATType) string {
	var words []string

	if network != nil && networks[*network] != "" {
		words = append(words, networks[*network])
	}

	if radio != nil && radios[*radio] != "" {
		words = append(words, radios[*radio])
	}

	return strings.Join(words, " ")
}

// Serve registers the handlers of the PCRF's requests. It is called before the node runs.
func (p *PCRF) Serve(b *bearer.Bearers) {
	diameter.Handle(p.node, func(_ context.Context, q *rx.ASR) (*rx.ASA, error) {
		if !b.Abort(q.SessionID, aborted(q.AbortCause)) {
			return nil, rx.UnknownSessionID
		}

		return &rx.ASA{AnswerHeader: diameter.AnswerHeader{Result: rx.Success}}, nil
	})

	diameter.Handle(p.node, func(_ context.Context, q *rx.RAR) (*rx.RAA, error) {
		known := b.Known(q.SessionID)

		for _, action := range q.SpecificActions {
			if why, found := losses[action]; found {
				known = b.Lose(q.SessionID, why, components(q.Flows)) && known
				break
			}

			switch action {
			case rx.IPCANChange:
				known = b.Moved(q.SessionID, accessOf(q.IPCANType, q.RATType)) && located(b, q) && known
			case rx.AccessNetworkInfoReport:
				known = located(b, q) && known
			}
		}

		if !known {
			return nil, rx.UnknownSessionID
		}

		return &rx.RAA{AnswerHeader: diameter.AnswerHeader{Result: rx.Success}}, nil
	})
}

// located passes on what a RAR says of the UE's place. That of another access network than the one that it tells is an old one.
func located(b *bearer.Bearers, q *rx.RAR) (known bool) {
	at, err := q.Where()

	if class := rx.AccessClass(q.IPCANType, q.RATType); class != "" && class != at.Class {
		at.Class, at.CGI, at.SAI, at.Cell = class, "", "", ""
	}

	return b.Located(q.SessionID, at, err)
}

// losses lists the Specific-Actions that leave media without a bearer.
var losses = map[rx.SpecificAction]string{
	rx.LossOfBearer:     "INDICATION_OF_LOSS_OF_BEARER",
	rx.ReleaseOfBearer:  "INDICATION_OF_RELEASE_OF_BEARER",
	rx.FailedAllocation: "INDICATION_OF_FAILED_RESOURCES_ALLOCATION",
}

func components(flows []rx.Flows) (numbers []uint32) {
	for _, f := range flows {
		if !slices.Contains(numbers, f.Component) {
			numbers = append(numbers, f.Component)
		}
	}

	return numbers
}

var abortCauses = [...]string{
	rx.BearerReleased:                  "BEARER_RELEASED",
	rx.InsufficientServerResources:     "INSUFFICIENT_SERVER_RESOURCES",
	rx.InsufficientBearerResources:     "INSUFFICIENT_BEARER_RESOURCES",
	rx.PSToCSHandover:                  "PS_TO_CS_HANDOVER",
	rx.SponsoredConnectivityDisallowed: "SPONSORED_DATA_CONNECTIVITY_DISALLOWED",
}

func aborted(cause *rx.AbortCause) string {
	if cause == nil || int(*cause) >= len(abortCauses) {
		return "the PCRF ends the session"
	}

	return abortCauses[*cause]
}
