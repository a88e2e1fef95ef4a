package sbi

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/trace"
)

const (
	maxBody   = 1 << 18 // octets of an answer
	maxHeader = 1 << 16
	idle      = 5 * time.Minute
	redirects = 3

	quiet = 15 * time.Second // on a connection, until a ping finds out whether the other side is there
	pong  = 5 * time.Second  // for its answer
)

// Options are the means of reaching network functions.
type Options struct {
	Dial func(ctx context.Context, network, address string) (net.Conn, error) // nil: the operating system's
	TLS  *tls.Config                                                          // for https; nil: the system's authorities count
	SCP  string                                                               // root; "": network functions are reached directly
	Tap  trace.Tap
}

// Client sends requests to network functions.
type Client struct {
	scp    string
	http   *http.Client
	tokens Tokens
}

// Tokens gives access tokens for services (TS 29.510 §6.3). A token that was refused is not given again.
type Tokens interface {
	Token(ctx context.Context, s Service, refused string) (string, error)
}

// New returns a client: HTTP/2, by prior knowledge where it is in clear (TS 29.500 §5.2.1).
func New(o Options) *Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)

	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}

	if o.TLS == nil {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}

	dialer := &dialer{dial: o.Dial, tls: o.TLS.Clone()}
	dialer.tls.NextProtos = []string{"h2"}

	return &Client{
		scp: strings.TrimSuffix(o.SCP, "/"),
		http: &http.Client{
			Transport: o.Tap.Client(&http.Transport{
				Protocols: protocols, DialContext: dialer.clear, DialTLSContext: dialer.secure,
				IdleConnTimeout: idle, MaxResponseHeaderBytes: maxHeader,
				HTTP2: &http.HTTP2Config{SendPingTimeout: quiet, PingTimeout: pong},
			}, referenceOf),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// With returns the client with tokens for the services that it asks.
func (c *Client) With(tokens Tokens) *Client {
	with := *c
	with.tokens = tokens

	return &with
}

// Close closes the connections that nobody uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Request is a request for a resource of a service.
type Request struct {
	Service     Service
	Method      string
	Root        string     // root of the API; "": the SCP finds the network function
	Discovery   url.Values // by these, beside the service (TS 29.510 §6.2.3.2.3.1)
	Path        string     // below the root, with the service's name and a query, if there is one
	ContentType string
	Body        []byte
}

// Unreachable is returned if a request has not been sent: the network function, or the SCP, cannot be reached.
type Unreachable struct {
	Node string
	Err  error
}

func (u *Unreachable) Error() string {
	return fmt.Sprintf("the %s cannot be reached: %v", u.Node, u.Err)
}

// Unwrap returns the cause.
func (u *Unreachable) Unwrap() error { return u.Err }

// Do sends a request and reads the answer, a refusal included. A temporary or permanent redirection is followed (TS 29.500 §6.10.9). A
// service that does not accept its token (401) is asked once more with another one (TS 29.500 §6.7.3).
func (c *Client) Do(ctx context.Context, r *Request) (*Answer, error) {
	if c.tokens == nil {
		return c.follow(ctx, r, "")
	}

	token, err := c.tokens.Token(ctx, r.Service, "")
	if err != nil {
		return nil, &Unreachable{Node: string(r.Service.Of), Err: fmt.Errorf("no access token: %w", err)}
	}

	answer, err := c.follow(ctx, r, token)
	if err != nil || answer.Status != http.StatusUnauthorized {
		return answer, err
	}

	if token, err = c.tokens.Token(ctx, r.Service, token); err != nil {
		return answer, nil
	}

	return c.follow(ctx, r, token)
}

func (c *Client) follow(ctx context.Context, r *Request, token string) (*Answer, error) {
	for again := 0; ; again++ {
		answer, err := c.send(ctx, r, token)
		if err != nil {
			return nil, err
		}

		if answer.Status != http.StatusTemporaryRedirect && answer.Status != http.StatusPermanentRedirect {
			return answer, nil
		}

		location, err := answer.Location()

		switch {
		case errors.Is(err, errLeavesTLS):
			return nil, fmt.Errorf("the %s redirects: it %w", r.Service.Of, err)
		case err != nil:
			return nil, fmt.Errorf("the %s redirects to nowhere: %w", r.Service.Of, err)
		case again == redirects:
			return nil, fmt.Errorf("the %s redirects more than %d times", r.Service.Of, redirects)
		}

		next := *r
		next.Root, next.Path = Split(location, r.Service)
		r = &next
	}
}

// Split divides the URI of a service's resource into the root of the API and the rest.
func Split(uri string, s Service) (root, path string) {
	if at := strings.Index(uri, "/"+s.Name+"/"); at >= 0 {
		return uri[:at], uri[at:]
	}

	if u, err := url.Parse(uri); err == nil {
		path = u.RequestURI()
		return strings.TrimSuffix(uri, path), path
	}

	return uri, ""
}

func (c *Client) send(ctx context.Context, r *Request, token string) (*Answer, error) {
	through, node := r.Root, string(r.Service.Of)
	if c.scp != "" {
		through, node = c.scp, "SCP"
	}

	q, err := http.NewRequestWithContext(ctx, r.Method, strings.TrimSuffix(through, "/")+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return nil, err
	}

	q.Header.Set("Accept", "application/json, application/problem+json")

	if r.ContentType != "" {
		q.Header.Set("Content-Type", r.ContentType)
	}

	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}

	c.address(q, r)

	way := &way{}

	said, err := c.http.Do(q.WithContext(way.traced(ctx)))
	if err != nil {
		return nil, way.lost(node, q.URL.Scheme == "https", err)
	}
	defer said.Body.Close()

	body, err := io.ReadAll(io.LimitReader(said.Body, maxBody+1))

	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer of the %s breaks off: %w", node, err)
	case len(body) > maxBody:
		return nil, fmt.Errorf("the answer of the %s is longer than %d octets", node, maxBody)
	}

	base := q.URL
	if c.scp != "" && r.Root != "" {
		if base, err = ParseRoot(r.Root); err != nil {
			return nil, err
		}
	}

	return &Answer{Status: said.StatusCode, Header: said.Header, Body: body, from: r.Service.Of, base: base}, nil
}

// address says to an SCP who is meant, or by what it finds that out (TS 29.500 §6.10.2.4, §6.10.3.2).
func (c *Client) address(q *http.Request, r *Request) {
	switch {
	case c.scp == "":
	case r.Root != "":
		q.Header.Set(TargetAPIRoot, strings.TrimSuffix(r.Root, "/"))
	default:
		q.Header.Set(DiscoveryPrefix+"target-nf-type", string(r.Service.Of))
		q.Header.Set(DiscoveryPrefix+"requester-nf-type", string(AF))
		q.Header.Set(DiscoveryPrefix+"service-names", r.Service.Name)

		for name, values := range r.Discovery {
			q.Header.Set(DiscoveryPrefix+name, strings.Join(values, ","))
		}
	}
}
