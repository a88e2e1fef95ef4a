package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
)

// PCF serves N5 by HTTP/2 in clear, and nothing else.
type PCF struct {
	client *http.Client
	server *http.Server

	mu       sync.Mutex
	decide   func(patch bool, q *npcf.AppSessionContextReqData) *Refusal
	sessions map[string]*npcf.AppSessionContextReqData // by their paths
	last     int
	events   []string
}

// Terminated is why sessions are ended.
const Terminated = "PDU_SESSION_TERMINATION"

// Refusal is what a PCF says in place of a grant.
type Refusal struct {
	npcf.ProblemDetails

	RetryAfter int // seconds
}

// NewPCF makes a PCF that tells of sessions by this dialer; nil is the operating system's.
func NewPCF(dial func(ctx context.Context, network, address string) (net.Conn, error)) *PCF {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)

	p := &PCF{
		client:   &http.Client{Transport: &http.Transport{Protocols: protocols, DialContext: dial}},
		sessions: map[string]*npcf.AppSessionContextReqData{},
	}

	mux := http.NewServeMux()
	mux.HandleFunc("POST "+npcf.Collection, p.create)
	mux.HandleFunc("PATCH "+npcf.Collection+"/{id}", p.change)
	mux.HandleFunc("POST "+npcf.Collection+"/{id}"+npcf.Delete, p.remove)
	p.server = &http.Server{Handler: mux, Protocols: protocols}

	return p
}

// Serve serves until Close.
func (p *PCF) Serve(l net.Listener) { _ = p.server.Serve(l) }

// Close ends it. The sessions stay.
func (p *PCF) Close() error {
	p.client.CloseIdleConnections()
	return p.server.Close()
}

// Decide has each request that is right looked at before it is granted. nil grants them all again.
func (p *PCF) Decide(decide func(patch bool, q *npcf.AppSessionContextReqData) *Refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.decide = decide
}

// Sessions are the open ones by their paths.
func (p *PCF) Sessions() map[string]*npcf.AppSessionContextReqData {
	p.mu.Lock()
	defer p.mu.Unlock()

	return maps.Clone(p.sessions)
}

// Events are the requests that came, and what they were answered: "POST 201".
func (p *PCF) Events() []string {
	p.mu.Lock()
	defer p.mu.Unlock()

	return slices.Clone(p.events)
}

// Forget loses a session without a word.
func (p *PCF) Forget(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()

	delete(p.sessions, path)
}

// Terminate ends a session as Open5GS's PCF does: it has forgotten it when it says so. It returns the status of the answer.
func (p *PCF) Terminate(ctx context.Context, path string) (int, error) {
	p.mu.Lock()
	q := p.sessions[path]
	delete(p.sessions, path)
	p.mu.Unlock()

	return p.tell(ctx, q, npcf.Terminate, npcf.TerminationInfo{Cause: Terminated, Resource: "http://pcf" + path})
}

// Notify tells of events, and returns the status of the answer.
func (p *PCF) Notify(ctx context.Context, path string, said npcf.EventsNotification) (int, error) {
	p.mu.Lock()
	q := p.sessions[path]
	p.mu.Unlock()

	said.Subscription = "http://pcf" + path + "/events-subscription"

	return p.tell(ctx, q, npcf.Notify, said)
}

func (p *PCF) tell(ctx context.Context, q *npcf.AppSessionContextReqData, below string, said any) (int, error) {
	if q == nil {
		return 0, fmt.Errorf("there is no such session")
	}

	text, err := json.Marshal(said)
	if err != nil {
		return 0, err
	}

	r, err := http.NewRequestWithContext(ctx, http.MethodPost, q.NotificationURI+below, bytes.NewReader(text))
	if err != nil {
		return 0, err
	}

	r.Header.Set("Content-Type", "application/json")

	answer, err := p.client.Do(r)
	if err != nil {
		return 0, err
	}

	return answer.StatusCode, answer.Body.Close()
}

func (p *PCF) create(w http.ResponseWriter, r *http.Request) {
	q, refusal := p.asked(r, "application/json")
	if refusal == nil {
		refusal = checkNew(q)
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	if refusal != nil {
		p.refuse(w, r, refusal)
		return
	}

	p.last++
	path := npcf.Collection + "/" + strconv.Itoa(p.last)
	p.sessions[path] = q
	w.Header().Set("Location", "http://"+r.Host+path)
	p.grant(w, r, http.StatusCreated, q)
}

func (p *PCF) change(w http.ResponseWriter, r *http.Request) {
	q, refusal := p.asked(r, npcf.MergePatch)

	p.mu.Lock()
	defer p.mu.Unlock()

	old := p.sessions[r.URL.Path]

	switch {
	case old == nil:
		p.refuse(w, r, &Refusal{ProblemDetails: npcf.ProblemDetails{Status: http.StatusNotFound, Title: "Not found"}})
		return
	case refusal != nil:
		p.refuse(w, r, refusal)
		return
	}

	now := *old
	now.MediaComponents = maps.Clone(old.MediaComponents)
	maps.Copy(now.MediaComponents, q.MediaComponents)
	p.sessions[r.URL.Path] = &now
	p.grant(w, r, http.StatusOK, q)
}

func (p *PCF) remove(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()

	path := strings.TrimSuffix(r.URL.Path, npcf.Delete)
	if p.sessions[path] == nil {
		p.refuse(w, r, &Refusal{ProblemDetails: npcf.ProblemDetails{Status: http.StatusNotFound, Title: "Not found"}})
		return
	}

	delete(p.sessions, path)
	p.events = append(p.events, "DELETE 204")
	w.WriteHeader(http.StatusNoContent)
}

func (p *PCF) grant(w http.ResponseWriter, r *http.Request, status int, q *npcf.AppSessionContextReqData) {
	p.events = append(p.events, r.Method+" "+strconv.Itoa(status))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(npcf.AppSessionContext{Request: q})
}

func (p *PCF) refuse(w http.ResponseWriter, r *http.Request, refusal *Refusal) {
	method := r.Method
	if strings.HasSuffix(r.URL.Path, npcf.Delete) {
		method = "DELETE"
	}

	p.events = append(p.events, method+" "+strconv.Itoa(refusal.Status))
	w.Header().Set("Content-Type", "application/problem+json")

	if refusal.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(refusal.RetryAfter))
	}

	w.WriteHeader(refusal.Status)
	_ = json.NewEncoder(w).Encode(refusal.ProblemDetails)
}

// asked reads a request, and refuses what Open5GS's PCF refuses, and what its gateways would drop without a word.
func (p *PCF) asked(r *http.Request, kind string) (*npcf.AppSessionContextReqData, *Refusal) {
	var body npcf.AppSessionContext

	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()

	switch err := decoder.Decode(&body); {
	case r.ProtoMajor != 2:
		return nil, bad("HTTP/2 is spoken here")
	case r.Header.Get("Content-Type") != kind:
		return nil, bad("Content-Type " + r.Header.Get("Content-Type"))
	case err != nil:
		return nil, bad(err.Error())
	case body.Request == nil || len(body.Request.MediaComponents) == 0:
		return nil, bad("No MediaComponent")
	}

	for key, c := range body.Request.MediaComponents {
		if err := checkMedia(key, c); err != nil {
			return nil, bad(err.Error())
		}
	}

	p.mu.Lock()
	decide := p.decide
	p.mu.Unlock()

	if decide != nil {
		return body.Request, decide(r.Method == http.MethodPatch, body.Request)
	}

	return body.Request, nil
}

func bad(why string) *Refusal {
	return &Refusal{ProblemDetails: npcf.ProblemDetails{Status: http.StatusBadRequest, Title: why}}
}

func checkNew(q *npcf.AppSessionContextReqData) *Refusal {
	switch {
	case q.SupportedFeatures == "":
		return bad("No suppFeat")
	case !strings.HasPrefix(q.NotificationURI, "http://") && !strings.HasPrefix(q.NotificationURI, "https://"):
		return bad("No notifUri")
	case (q.IPv4 == "") == (q.IPv6 == ""):
		return bad("one of ueIpv4 and ueIpv6")
	}

	if _, err := netip.ParseAddr(q.IPv4 + q.IPv6); err != nil {
		return bad(err.Error())
	}

	return nil
}

func checkMedia(key string, c *npcf.MediaComponent) error {
	if c == nil || key != strconv.Itoa(int(c.Number)) {
		return fmt.Errorf("component %s has another number", key)
	}

	if !slices.Contains([]string{"AUDIO", "VIDEO", "CONTROL"}, c.Type) {
		return fmt.Errorf("media type %q", c.Type)
	}

	for _, rate := range []string{c.Uplink, c.Downlink, c.RS, c.RR} {
		var n int
		if _, err := fmt.Sscanf(rate, "%d Kbps", &n); rate != "" && err != nil {
			return fmt.Errorf("bit rate %q", rate)
		}
	}

	for key, s := range c.SubComponents {
		if s == nil || key != strconv.Itoa(int(s.Number)) {
			return fmt.Errorf("sub-component %s has another number", key)
		}

		for _, description := range s.Descriptions {
			if _, err := rx.ParseFilterRule(description); err != nil {
				return err
			}
		}
	}

	return nil
}
