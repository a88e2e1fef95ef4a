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

	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
)

// PCF serves N5 by HTTP/2 in clear, and nothing else.
type PCF struct {
	book[*npcf.AppSessionContextReqData]

	client *http.Client
	server *http.Server
	decide func(patch bool, q *npcf.AppSessionContextReqData) *Refusal
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
		book:   book[*npcf.AppSessionContextReqData]{sessions: map[string]*npcf.AppSessionContextReqData{}},
		client: &http.Client{Transport: &http.Transport{Protocols: protocols, DialContext: dial}},
	}
	p.serve()

	return p
}

// serve makes the server.
func (p *PCF) serve() {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)

	mux := http.NewServeMux()
	mux.HandleFunc("POST "+npcf.Collection, p.handle("POST", p.create))
	mux.HandleFunc("PATCH "+npcf.Collection+"/{id}", p.handle("PATCH", p.change))
	mux.HandleFunc("POST "+npcf.Collection+"/{id}"+npcf.Delete, p.handle("DELETE", p.remove))
	p.server = &http.Server{Handler: mux, Protocols: protocols}
}

// Serve serves until Close.
func (p *PCF) Serve(l net.Listener) { _ = p.current().Serve(l) }

func (p *PCF) current() *http.Server {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.server
}

// Close ends the service. Serve may be called again: then the PCF has the sessions that it had.
func (p *PCF) Close() error {
	p.client.CloseIdleConnections()

	err := p.current().Close()

	p.mu.Lock()
	defer p.mu.Unlock()

	p.serve()

	return err
}

// Decide has each request that is right looked at before it is granted. nil grants them all again.
func (p *PCF) Decide(decide func(patch bool, q *npcf.AppSessionContextReqData) *Refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.decide = decide
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

	response, err := p.client.Do(r)
	if err != nil {
		return 0, err
	}

	return response.StatusCode, response.Body.Close()
}

// handle serves the requests of a kind. What is lost is not answered.
func (p *PCF) handle(kind string, carryOut func(r *http.Request) answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !p.arrives(r.Context(), kind) {
			panic(http.ErrAbortHandler)
		}

		a := carryOut(r)

		p.mu.Lock()
		p.remember(kind, a.session, uint32(a.status))
		p.mu.Unlock()

		if !p.settles(r.Context(), kind) {
			panic(http.ErrAbortHandler)
		}

		a.send(w)
	}
}

// answer is what a request is answered.
type answer struct {
	status   int
	session  string // path
	location string // of a session that was made
	refusal  *Refusal
	body     *npcf.AppSessionContext
}

func refused(r *Refusal, session string) answer {
	return answer{status: r.Status, session: session, refusal: r}
}

func (a *answer) send(w http.ResponseWriter) {
	var body any = a.body

	switch {
	case a.refusal != nil:
		body = a.refusal.ProblemDetails
		w.Header().Set("Content-Type", "application/problem+json")

		if a.refusal.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(a.refusal.RetryAfter))
		}
	case a.body == nil:
		w.WriteHeader(a.status)
		return
	default:
		w.Header().Set("Content-Type", "application/json")
	}

	if a.location != "" {
		w.Header().Set("Location", a.location)
	}

	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(body)
}

func (p *PCF) create(r *http.Request) answer {
	q, refusal := p.asked(r, "application/json")
	if refusal == nil {
		refusal = checkNew(q)
	}

	if refusal != nil {
		return refused(refusal, "")
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	path := p.free()
	p.sessions[path] = q

	return answer{
		status: http.StatusCreated, session: path, location: "http://" + r.Host + path, body: &npcf.AppSessionContext{Request: q},
	}
}

// free returns the path of a new session: the first that no session has, since Open5GS's PCF uses names again, too.
func (p *PCF) free() string {
	for i := 1; ; i++ {
		if path := npcf.Collection + "/" + strconv.Itoa(i); p.sessions[path] == nil {
			return path
		}
	}
}

var unknown = &Refusal{ProblemDetails: npcf.ProblemDetails{Status: http.StatusNotFound, Title: "Not found"}}

func (p *PCF) change(r *http.Request) answer {
	q, refusal := p.asked(r, npcf.MergePatch)
	path := r.URL.Path

	p.mu.Lock()
	defer p.mu.Unlock()

	old := p.sessions[path]

	switch {
	case old == nil:
		return refused(unknown, path)
	case refusal != nil:
		return refused(refusal, path)
	}

	now := *old
	now.MediaComponents = maps.Clone(old.MediaComponents)
	maps.Copy(now.MediaComponents, q.MediaComponents)
	p.sessions[path] = &now

	return answer{status: http.StatusOK, session: path, body: &npcf.AppSessionContext{Request: q}}
}

func (p *PCF) remove(r *http.Request) answer {
	path := strings.TrimSuffix(r.URL.Path, npcf.Delete)

	p.mu.Lock()
	defer p.mu.Unlock()

	if p.sessions[path] == nil {
		return refused(unknown, path)
	}

	delete(p.sessions, path)

	return answer{status: http.StatusNoContent, session: path}
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
