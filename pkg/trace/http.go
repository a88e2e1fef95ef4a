package trace

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// maxBody is the number of octets of a body that are traced.
const maxBody = 1 << 18

// exchanges counts requests with their answers.
var exchanges atomic.Uint64

// Client returns a transport whose requests and answers are traced. name returns the interface of a request. Without a tap it is next.
func (t Tap) Client(next http.RoundTripper, name func(*http.Request) string) http.RoundTripper {
	if t == nil {
		return next
	}

	return &client{tap: t, next: next, name: name}
}

type client struct {
	tap  Tap
	next http.RoundTripper
	name func(*http.Request) string
}

// RoundTrip traces a request once it has a connection, and its answer when its body has been read.
func (c *client) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := bodyOf(r)
	if err != nil {
		return nil, err
	}

	m := Message{Interface: c.name(r), Protocol: HTTP, Transport: transport(r.URL.Scheme == "https"), Exchange: exchanges.Add(1)}

	connected := func(info httptrace.GotConnInfo) {
		m.Local, m.Remote = address(info.Conn.LocalAddr()), address(info.Conn.RemoteAddr())
		m.Time, m.Sent = time.Now(), true
		m.Data = written(fmt.Sprintf("%s %s HTTP/2", r.Method, r.URL.RequestURI()), r.Header, r.URL.Host, body)
		c.tap(m)
	}

	traced := r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: connected}))

	answer, err := c.next.RoundTrip(traced)
	if err != nil {
		return nil, err
	}

	answer.Body = &read{ReadCloser: answer.Body, done: func(body []byte) {
		m := m
		m.Time, m.Sent = time.Now(), false
		m.Data = written("HTTP/2 "+answer.Status, answer.Header, "", body)
		c.tap(m)
	}}

	return answer, nil
}

// CloseIdleConnections is for http.Client.
func (c *client) CloseIdleConnections() {
	if next, ok := c.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}

// bodyOf returns a copy of a request's body.
func bodyOf(r *http.Request) ([]byte, error) {
	if r.GetBody == nil || r.Body == http.NoBody {
		return nil, nil
	}

	body, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	defer body.Close()

	return io.ReadAll(io.LimitReader(body, maxBody))
}

// read is a body that is traced when it is closed.
type read struct {
	io.ReadCloser
	seen []byte
	done func(body []byte)
}

func (r *read) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	r.seen = append(r.seen, b[:min(n, maxBody-len(r.seen))]...)

	return n, err
}

func (r *read) Close() error {
	if r.done != nil {
		r.done(r.seen)
		r.done = nil
	}

	return r.ReadCloser.Close()
}

// Server returns a handler whose requests and answers are traced. Without a tap it is next.
func (t Tap) Server(next http.Handler, name string) http.Handler {
	if t == nil {
		return next
	}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil { // who reads on is told
			r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
		} else {
			r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), r.Body))
		}

		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		remote, _ := netip.ParseAddrPort(r.RemoteAddr)
		m := Message{
			Time: time.Now(), Interface: name, Protocol: HTTP, Transport: transport(r.TLS != nil), Local: address(local), Remote: remote,
			Data:     written(fmt.Sprintf("%s %s %s", r.Method, r.URL.RequestURI(), version(r.Proto)), r.Header, r.Host, body),
			Exchange: exchanges.Add(1),
		}
		t(m)

		answer := &writer{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(answer, r)

		m.Time, m.Sent = time.Now(), true
		m.Data = written(fmt.Sprintf("%s %d %s", version(r.Proto), answer.status, http.StatusText(answer.status)), w.Header(), "", answer.body)
		t(m)
	})
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

// writer remembers an answer.
type writer struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (w *writer) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(b []byte) (int, error) {
	w.body = append(w.body, b[:min(len(b), maxBody-len(w.body))]...)
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// token is an access token in the answer of who grants it (RFC 6749 §5.1), also of an answer that breaks off.
var token = regexp.MustCompile(`"access_token"\s*:\s*"[^"]*"?`)

// written returns a message as HTTP/1.1 would write it, whatever its version. Tokens are not shown.
func written(start string, fields http.Header, host string, body []byte) []byte {
	var b bytes.Buffer

	b.WriteString(strings.TrimSpace(start) + "\r\n")

	if host != "" {
		b.WriteString("Host: " + host + "\r\n")
	}

	for _, name := range slices.Sorted(maps.Keys(fields)) {
		for _, value := range fields[name] {
			if name == "Authorization" {
				kind, _, _ := strings.Cut(value, " ")
				value = kind + " (not shown)"
			}

			b.WriteString(name + ": " + value + "\r\n")
		}
	}

	b.WriteString("\r\n")
	b.Write(token.ReplaceAll(body, []byte(`"access_token":"(not shown)"`)))

	return b.Bytes()
}

// version returns HTTP/2 for HTTP/2.0, as people write it.
func version(protocol string) string {
	return strings.TrimSuffix(protocol, ".0")
}

func transport(secure bool) string {
	if secure {
		return "TLS"
	}

	return "TCP"
}

func address(a net.Addr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}

	parsed, _ := netip.ParseAddrPort(a.String())

	return netip.AddrPortFrom(parsed.Addr().Unmap(), parsed.Port())
}
