package registrar

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// request is a parsed REGISTER.
type request struct {
	message        *sip.Request
	public         string // canonical, of To
	private        string
	credentials    digest.Credentials
	hasCredentials bool
	contacts       []wanted
	star           bool
	outbound       bool // both the handset and the first Path support outbound (RFC 5626)
	path           []string
	callID         string
	cseq           uint32
}

// wanted is one contact that a REGISTER adds, refreshes or removes.
type wanted struct {
	contact  string
	params   string
	instance string
	regID    uint32
	q        uint16
	expires  time.Duration // 0: it is removed
}

// supported are the option tags that Require may name.
var supported = []string{"path", "outbound"}

const maxContactsInRequest = 16

// Limits in octets of values that a registration stores and that are repeated in each 200, each NOTIFY and each Route.
const (
	maxName    = 1 << 10 // a public or private identity, the URI of a Contact, a Call-ID
	maxContact = 4 << 10 // with its parameters
	maxPath    = 4 << 10 // in all
)

// tooLarge is the refusal of a value that is too long (RFC 3261 §21.5.7).
func tooLarge(what string, octets, most int) *sip.Refusal {
	return sip.Refusef(513, "%s has %d octets, more than the %d that a registrar keeps", what, octets, most)
}

// bounded returns a refusal for names that are too long.
func bounded(message *sip.Request) *sip.Refusal {
	for _, name := range []string{"To", "Call-ID"} {
		if n := len(sip.Value(message, name)); n > maxName {
			return tooLarge(name, n, maxName)
		}
	}

	n := 0
	for _, value := range sip.Values(message, "Path") {
		n += len(value)
	}

	if n > maxPath {
		return tooLarge("Path", n, maxPath)
	}

	return nil
}

// parseRegister parses a REGISTER and returns a refusal for one that no registrar accepts (RFC 3261 §10.3 steps 2, 6, 7; RFC 3327 §5.3;
// TS 24.229 §5.4.1.2.1).
func parseRegister(message *sip.Request, policy *Policy) (*request, *sip.Refusal) {
	if refusal := bounded(message); refusal != nil {
		return nil, refusal
	}

	r := &request{message: message, callID: strings.Clone(message.CallID().Value()), cseq: message.CSeq().SeqNo}

	if unknown := unsupported(message); len(unknown) > 0 {
		return nil, sip.Refuse(420, "the handset requires an extension that the registrar does not have: "+strings.Join(unknown, ", "),
			sip.NewHeader("Unsupported", strings.Join(unknown, ", ")))
	}

	to, err := sip.ParseNameAddr(sip.Value(message, "To"))
	if err != nil {
		return nil, sip.Refuse(400, "To cannot be read")
	}

	if r.public, err = ims.CanonicalIdentity(to.URI); err != nil {
		return nil, sip.Refuse(400, "To names no public identity: "+to.URI)
	}

	r.public = strings.Clone(r.public)

	if refusal := r.parseCredentials(); refusal != nil {
		return nil, refusal
	}

	for _, value := range sip.Values(message, "Path") {
		if _, err := sip.ParseNameAddr(value); err != nil {
			return nil, sip.Refuse(400, "Path cannot be read")
		}

		r.path = append(r.path, strings.Clone(value))
	}

	if len(r.path) == 0 && policy.RequirePath {
		return nil, sip.Refuse(421, "the REGISTER has no Path: it did not come through a P-CSCF", sip.NewHeader("Require", "path"))
	}

	r.outbound = len(r.path) > 0 && sip.Outbound(message, r.path[0])

	return r, r.readContacts(policy)
}

func unsupported(message *sip.Request) []string {
	return slices.DeleteFunc(sip.Values(message, "Require"), func(option string) bool {
		return slices.ContainsFunc(supported, func(s string) bool { return strings.EqualFold(s, option) })
	})
}

// parseCredentials takes the private identity from Authorization, or derives it from the public one (§5.4.1.1).
func (r *request) parseCredentials() *sip.Refusal {
	r.private = ims.PrivateFromPublic(r.public)

	value := digest.Offered(sip.Values(r.message, "Authorization"))
	if value == "" {
		return nil
	}

	credentials, err := digest.ParseCredentials(value)
	if err != nil {
		return sip.Refuse(400, "Authorization cannot be read").Because(err)
	}

	r.credentials, r.hasCredentials = credentials, true

	if n := len(credentials.Username); n > maxName {
		return tooLarge("the private identity", n, maxName)
	}

	if credentials.Username != "" {
		r.private = strings.Clone(credentials.Username)
	}

	return nil
}

func (r *request) readContacts(policy *Policy) *sip.Refusal {
	contacts, star, err := sip.Contacts(r.message)
	if err != nil || len(contacts) > maxContactsInRequest {
		return sip.Refuse(400, "Contact cannot be read, or names too many contacts")
	}

	if emergency.Mixes(r.message) {
		return sip.Refuse(400, emergency.Mixed)
	}

	expiresHeader := sip.Value(r.message, "Expires")
	otherwise := sip.Seconds(expiresHeader, uint32(policy.DefaultExpires/time.Second))

	if star {
		if r.star = true; expiresHeader == "" || otherwise != 0 { // RFC 3261 §10.3 6
			return sip.Refuse(400, "Contact: * needs Expires: 0")
		}

		return nil
	}

	for _, c := range contacts {
		w, refusal := parseContact(c, otherwise, r.outbound, policy)
		if refusal != nil {
			return refusal
		}

		r.contacts = append(r.contacts, w)
	}

	return nil
}

func parseContact(c sip.Contact, otherwise uint32, outbound bool, policy *Policy) (wanted, *sip.Refusal) {
	if n := len(c.URI); n > maxName {
		return wanted{}, tooLarge("the URI of a Contact", n, maxName)
	}

	if n := len(c.URI) + len(c.Params.String()); n > maxContact {
		return wanted{}, tooLarge("a Contact", n, maxContact)
	}

	uri, err := sip.ParseURI(c.URI)
	if err != nil || uri.Scheme != "sip" && uri.Scheme != "sips" {
		return wanted{}, sip.Refuse(400, "a Contact is no SIP URI: "+c.URI)
	}

	w := wanted{contact: strings.Clone(c.URI), q: 1000}

	seconds, given := sip.Expires(c)
	if !given {
		seconds = otherwise
	}

	w.expires = min(time.Duration(seconds)*time.Second, policy.MaxExpires)

	if w.expires > 0 && w.expires < policy.MinExpires { // RFC 3261 §10.3 7
		return wanted{}, sip.Refuse(423, fmt.Sprintf("the handset wants to register for %s, less than %s", w.expires, policy.MinExpires),
			sip.NewHeader("Min-Expires", strconv.Itoa(int(policy.MinExpires/time.Second))))
	}

	if value, given := c.Params.Get("q"); given {
		q, err := strconv.ParseFloat(value, 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return wanted{}, sip.Refuse(400, "the q of a Contact is not between 0 and 1: "+value)
		}

		w.q = uint16(math.Round(q * 1000))
	}

	instance, flow, err := sip.Instance(c, outbound)
	if err != nil {
		return wanted{}, sip.Refuse(400, err.Error())
	}

	w.instance, w.regID = strings.Clone(instance), flow

	c.Params.Del("expires")
	c.Params.Del("q")
	w.params = strings.Clone(c.Params.String())

	return w, nil
}
