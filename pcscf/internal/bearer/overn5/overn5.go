// Package overn5 requests bearers of a PCF over N5, by Npcf_PolicyAuthorization (TS 29.514 §4.2): HTTP/2 in both directions, in clear
// without an upgrade or with TLS (TS 29.500 §5.2.1). The PCF is configured, or found by a BSF, an NRF or an SCP.
package overn5

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/overn5/bsf"
	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer/overn5/nrf"
	"github.com/dialtone-ims/dialtone/pkg/ims/access"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
	"github.com/dialtone-ims/dialtone/pkg/sbi"
	"github.com/dialtone-ims/dialtone/pkg/trace"
)

// Config is which PCF is asked, and how. Roots are those of APIs: http://127.0.0.13:7777.
type Config struct {
	PCF string // root; "": it is found by one of the following
	BSF string // root; Discovered: it is found as well; "": no BSF is asked
	NRF string // root; "": there is none
	SCP string // root of the one that takes all requests; "": they go directly

	Tokens     bool   // requests need access tokens of the NRF
	NFInstance string // this network function's identity in requests for tokens

	TLS        *tls.Config // of requests; nil: as the system has it
	Notify     string      // ip:port where notifications come
	NotifyName string      // what the PCF is told in place of the address
	NotifyTLS  *tls.Config // nil: notifications come in clear

	DNN      string // "": not sent
	Location bool   // ask where the UE is
}

// Discovered is the BSF that the NRF or the SCP finds.
const Discovered = "discover"

// Options are the means of reaching a PCF; nil is the operating system's.
type Options struct {
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Listen func(network, address string) (net.Listener, error)
	Tap    trace.Tap
	Log    *slog.Logger // nil: nothing is written
}

// PCF is a bearer.Authority.
type PCF struct {
	config Config
	log    *slog.Logger
	listen func(network, address string) (net.Listener, error)
	tap    trace.Tap
	client *sbi.Client
	nrf    *nrf.NRF // nil: there is none
	bsf    *bsf.BSF // nil: none is asked

	mu     sync.Mutex
	owners map[string]string // sessions by the PCF's names for them
}

// service is what is asked of a PCF.
var service = sbi.Service{Of: sbi.PCF, Name: npcf.Service}

// New returns the PCF of a configuration.
func New(c Config, o Options) *PCF {
	if o.Listen == nil {
		o.Listen = net.Listen
	}

	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}

	p := &PCF{
		config: c, log: o.Log, listen: o.Listen, tap: o.Tap, owners: map[string]string{},
		client: sbi.New(sbi.Options{Dial: o.Dial, TLS: c.TLS, SCP: c.SCP, Tap: o.Tap}),
	}

	if c.NRF != "" {
		p.nrf = nrf.New(p.client, c.NRF, c.NFInstance)
	}

	if c.Tokens {
		p.client = p.client.With(p.nrf)
	}

	if c.BSF != "" {
		p.bsf = bsf.New(p.client, p.bsfRoot, c.DNN)
	}

	return p
}

// aftermath is how long the P-CSCF waits before deleting a session that the PCF has ended itself: Open5GS is still busy with it.
const aftermath = 2 * time.Second

// NewID returns a name for the session that only this side and the PCF know: it authenticates notifications.
func (p *PCF) NewID() string { return rand.Text() }

// Ask creates or changes a session (TS 29.514 §4.2.2.2, §4.2.3.2). The PCF's name for it, a URI, is the Server of the Handle.
func (p *PCF) Ask(ctx context.Context, q *bearer.Request) (*bearer.Grant, error) {
	handle := q.Handle

	if handle.Server != "" {
		if !p.owns(handle) {
			return nil, &bearer.Refusal{Code: http.StatusNotFound, Why: "the PCF has given the session's name to another one", Unknown: true}
		}

		_, err := p.send(ctx, q, http.MethodPatch, handle.Server, npcf.AppSessionContext{Request: p.change(q)})
		if refusal, refused := errors.AsType[*bearer.Refusal](err); refused && refusal.Unknown {
			p.disown(handle)
		}

		if err != nil {
			return nil, err
		}

		return &bearer.Grant{Handle: handle}, nil
	}

	answer, err := p.open(ctx, q)
	if err != nil {
		return nil, err
	}

	if handle.Server, err = answer.Location(); err != nil {
		return nil, fmt.Errorf("the PCF does not say where the session is: %w", err)
	}

	p.own(handle)

	return &bearer.Grant{Handle: handle, Place: told(answer.Body)}, nil
}

// told returns where the UE is, if the answer to the creation of its session says so (TS 29.514 §4.2.2.2).
func told(body []byte) access.Info {
	var said npcf.AppSessionContext
	if json.Unmarshal(body, &said) != nil || said.Events == nil {
		return access.Info{} // the session is there, whatever the body says
	}

	at, _ := where(said.Events) // so it counts as not said

	return at
}

// where returns what a notification says of the UE's place. That of another access network than the one that it tells is an old one.
func where(said *npcf.EventsNotification) (access.Info, error) {
	at, err := said.Where()

	if class := said.Class(); class != "" && class != at.Class {
		at.Class, at.CGI, at.SAI, at.Cell = class, "", "", ""
	}

	return at, err
}

// End deletes a session (TS 29.514 §4.2.4.2). A session that the PCF does not know counts as deleted. Where the creation was never
// answered, the session's name is not known.
func (p *PCF) End(ctx context.Context, h bearer.Handle) error {
	if h.Server == "" || !p.owns(h) {
		return nil
	}

	_, err := p.send(ctx, nil, http.MethodPost, h.Server+npcf.Delete, nil)
	if refusal, refused := errors.AsType[*bearer.Refusal](err); refused && gone(refusal) {
		err = nil
	}

	if err == nil {
		p.disown(h)
	}

	return err
}

// gone reports whether a refused deletion means that there is no such session: a refusal of who asks says nothing of it.
func gone(r *bearer.Refusal) bool {
	return !r.Undone && r.Code < http.StatusInternalServerError &&
		r.Code != http.StatusUnauthorized && r.Code != http.StatusForbidden && r.Code != http.StatusTooManyRequests
}

// own notes that the PCF has given a session its name. Another one that had it is gone: the PCF was started anew, and uses names again.
func (p *PCF) own(h bearer.Handle) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.owners[h.Server] = h.ID
}

// owns reports whether the PCF's name for a session is not another one's by now.
func (p *PCF) owns(h bearer.Handle) bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	owner, found := p.owners[h.Server]

	return !found || owner == h.ID
}

// disown notes that a session is gone.
func (p *PCF) disown(h bearer.Handle) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.owners[h.Server] == h.ID {
		delete(p.owners, h.Server)
	}
}

// send sends a request about a session, without a body if body is nil, and returns the answer if it is a success.
func (p *PCF) send(ctx context.Context, q *bearer.Request, method, uri string, body any) (*sbi.Answer, error) {
	root, path := sbi.Split(uri, service)
	return p.request(ctx, q, method, root, path, body)
}

func (p *PCF) request(ctx context.Context, q *bearer.Request, method, root, path string, body any) (*sbi.Answer, error) {
	r := &sbi.Request{Service: service, Method: method, Root: root, Path: path}

	if body != nil {
		var err error
		if r.Body, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}

	switch {
	case body == nil:
	case method == http.MethodPatch:
		r.ContentType = npcf.MergePatch
	default:
		r.ContentType = "application/json"
	}

	answer, err := p.client.Do(ctx, r)

	switch unreachable, ok := errors.AsType[*sbi.Unreachable](err); {
	case ok: // the PCF does not have the request
		return nil, &bearer.Refusal{Code: http.StatusBadGateway, Why: unreachable.Error(), Undone: true}
	case err != nil:
		return nil, err
	case !answer.Successful():
		return nil, refusal(q, answer)
	}

	return answer, nil
}

// refusal returns the PCF's refusal, with what to check.
func refusal(q *bearer.Request, answer *sbi.Answer) *bearer.Refusal {
	named := answer.Problem().Cause

	return &bearer.Refusal{
		Code:    uint32(answer.Status),
		Name:    named,
		Why:     answer.Words(cause(q, answer.Status, named)),
		Unknown: answer.Status == http.StatusNotFound && q != nil && q.Server != "",
		Retry:   answer.Retry(),

		Elsewhere: noSession(q, answer.Status, named),
	}
}

// noSession reports whether the PCF does not know the UE.
func noSession(q *bearer.Request, status int, named string) bool {
	return q != nil && (named == npcf.PDUSessionNotAvailable || status == http.StatusNotFound && q.Server == "")
}

// cause returns the usual reason for a status, in a lab.
func cause(q *bearer.Request, status int, named string) string {
	switch {
	case q == nil:
		return ""
	case noSession(q, status, named):
		return fmt.Sprintf(
			"it has no PDU session with the address %s: a NAT stands between the gateway and this P-CSCF, or the UE is on 4G"+
				" and its session is at the PCRF, or the address is of another DNN; of IPv6, it wants the address that it has given itself",
			q.Leg.UE,
		)
	case status == http.StatusNotFound:
		return "it does not know the session"
	case status == http.StatusUnauthorized:
		return "it does not take the access token (bearer.sbi.oauth2)"
	case status == http.StatusForbidden:
		return "the subscriber's DNN for IMS has no PCC rule for this media (5QI 1 for audio, 5QI 2 for video), or not 5QI 5 for the signalling"
	case status == http.StatusBadRequest:
		return "it does not take media of a kind that is asked for, or the packet filters"
	default:
		return ""
	}
}

// notificationURI returns where the PCF sends the notifications of a session.
func (p *PCF) notificationURI(id string) string {
	u := url.URL{Scheme: "http", Host: p.config.Notify, Path: notifications + id}

	if p.config.NotifyTLS != nil {
		u.Scheme = "https"
	}

	if _, port, err := net.SplitHostPort(p.config.Notify); err == nil && p.config.NotifyName != "" {
		u.Host = net.JoinHostPort(p.config.NotifyName, port)
	}

	return u.String()
}
