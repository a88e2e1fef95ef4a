// Package overn5 requests bearers of a PCF over N5, by Npcf_PolicyAuthorization (TS 29.514 §4.2): HTTP/2 in clear, without an upgrade, in
// both directions (TS 29.500 §5.2.1).
package overn5

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
)

// Config is which PCF is asked, and how.
type Config struct {
	PCF    string // root of its API: http://127.0.0.13:7777
	Notify string // ip:port where it sends notifications
	DNN    string // "": not sent
}

// Options are the means of reaching a PCF; nil is the operating system's.
type Options struct {
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Listen func(network, address string) (net.Listener, error)
}

// PCF is a bearer.Authority.
type PCF struct {
	config Config
	listen func(network, address string) (net.Listener, error)
	client *http.Client

	mu         sync.Mutex
	terminated map[string]bool // sessions that the PCF has ended itself, until their deletion is sent
}

// New returns the PCF of a configuration.
func New(c Config, o Options) *PCF {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)

	if o.Listen == nil {
		o.Listen = net.Listen
	}

	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}

	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := o.Dial(ctx, network, address)
		if err != nil {
			return nil, &unreachable{err}
		}

		return conn, nil
	}
	transport := &http.Transport{Protocols: protocols, DialContext: dial, IdleConnTimeout: idle, MaxResponseHeaderBytes: maxBody}

	return &PCF{
		config: c, listen: o.Listen, terminated: map[string]bool{},
		client: &http.Client{
			Transport: transport,
			CheckRedirect: func(r *http.Request, via []*http.Request) error {
				if r.Response.StatusCode == http.StatusSeeOther || len(via) > redirects {
					return http.ErrUseLastResponse
				}

				return nil
			},
		},
	}
}

const (
	maxBody   = 1 << 18 // octets
	idle      = 5 * time.Minute
	redirects = 3
	// aftermath is how long the P-CSCF waits before deleting a session that the PCF has ended itself: Open5GS is still busy with it.
	aftermath = 2 * time.Second
)

// NewID returns a name for the session that only this side and the PCF know: it authenticates notifications.
func (p *PCF) NewID() string { return rand.Text() }

// Ask creates or changes a session (TS 29.514 §4.2.2.2, §4.2.3.2). The PCF's name for it, a URI, is the Server of the Handle.
func (p *PCF) Ask(ctx context.Context, q *bearer.Request) (*bearer.Grant, error) {
	handle := q.Handle

	if handle.Server != "" {
		_, err := p.send(ctx, q, http.MethodPatch, handle.Server, npcf.AppSessionContext{Request: p.change(q)})
		if err != nil {
			return nil, err
		}

		return &bearer.Grant{Handle: handle}, nil
	}

	answer, err := p.send(ctx, q, http.MethodPost, p.root()+npcf.Collection, npcf.AppSessionContext{Request: p.create(q)})
	if err != nil {
		return nil, err
	}

	location, err := answer.Location()
	if err != nil {
		return nil, fmt.Errorf("the PCF does not say where the session is: %w", err)
	}

	handle.Server = location.String()

	return &bearer.Grant{Handle: handle}, nil
}

// End deletes a session (TS 29.514 §4.2.4.2). A session that the PCF does not know counts as deleted. Where the creation was never
// answered, the session's name is not known.
func (p *PCF) End(ctx context.Context, h bearer.Handle) error {
	if h.Server == "" {
		return nil
	}

	if p.ended(h.ID) {
		select {
		case <-time.After(aftermath):
		case <-ctx.Done():
			return ctx.Err()
		}
	}

	_, err := p.send(ctx, nil, http.MethodPost, h.Server+npcf.Delete, nil)
	if refusal, refused := errors.AsType[*bearer.Refusal](err); refused && !refusal.Undone && refusal.Code < http.StatusInternalServerError {
		return nil
	}

	return err
}

// ended clears and reports the mark that the PCF has ended a session itself.
func (p *PCF) ended(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	ended := p.terminated[id]
	delete(p.terminated, id)

	return ended
}

func (p *PCF) root() string { return strings.TrimSuffix(p.config.PCF, "/") }

// send sends a request, without a body if body is nil, and returns the answer, read to its end, if it is a success.
func (p *PCF) send(ctx context.Context, q *bearer.Request, method, uri string, body any) (*http.Response, error) {
	var text []byte

	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}

	r, err := http.NewRequestWithContext(ctx, method, uri, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}

	r.Header.Set("Accept", "application/json, application/problem+json")

	switch {
	case body == nil:
	case method == http.MethodPatch:
		r.Header.Set("Content-Type", npcf.MergePatch)
	default:
		r.Header.Set("Content-Type", "application/json")
	}

	answer, err := p.client.Do(r)
	if err != nil {
		return nil, unreached(err)
	}
	defer answer.Body.Close()

	said, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return nil, err
	}

	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return nil, refusal(q, answer, said)
	}

	return answer, nil
}

// unreachable is the error of a connection that cannot be opened.
type unreachable struct{ error }

// unreached distinguishes a PCF that cannot be reached, and has not received the request, from one that does not answer.
func unreached(err error) error {
	if failed, ok := errors.AsType[*unreachable](err); ok {
		return &bearer.Refusal{Code: http.StatusBadGateway, Why: "the PCF cannot be reached: " + failed.Error(), Undone: true}
	}

	return err
}

// refusal returns the PCF's refusal, with what to check.
func refusal(q *bearer.Request, answer *http.Response, body []byte) *bearer.Refusal {
	var problem npcf.ProblemDetails

	_ = json.Unmarshal(body, &problem) // a status by itself will do

	r := &bearer.Refusal{
		Code:    uint32(answer.StatusCode),
		Name:    problem.Cause,
		Unknown: answer.StatusCode == http.StatusNotFound && q != nil && q.Server != "",

		Elsewhere: noSession(q, answer.StatusCode, problem.Cause),
	}

	if seconds, err := strconv.ParseUint(answer.Header.Get("Retry-After"), 10, 32); err == nil {
		r.Retry = time.Duration(seconds) * time.Second
	}

	r.Why = strings.TrimSpace(fmt.Sprintf("the PCF answers %d %s", r.Code, cmp.Or(problem.Cause, http.StatusText(answer.StatusCode))))
	if why := cause(q, answer.StatusCode, problem.Cause); why != "" {
		r.Why += ": " + why
	}

	if said := strings.TrimSpace(problem.Title + " " + problem.Detail); said != "" {
		r.Why += fmt.Sprintf(" (%q)", said)
	}

	return r
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
		return fmt.Sprintf("it has no PDU session with the address %s: a NAT stands between the gateway and this P-CSCF, or the UE is on 4G"+
			" and its session is at the PCRF, or the address is of another DNN; of IPv6, it wants the address that it has given itself", q.Leg.UE)
	case status == http.StatusNotFound:
		return "it does not know the session"
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
	return u.String()
}
