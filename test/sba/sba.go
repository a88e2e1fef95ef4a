// Package sba has what a service-based architecture (TS 23.501 §4.2.6) consists of besides the PCF, for tests: network functions that
// answer as a test says, an SCP, and an authority whose certificates they have.
package sba

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/dialtone-ims/dialtone/pkg/sbi"
)

// Node is a network function, or several that share an address.
type Node struct {
	server *http.Server
	served sync.WaitGroup

	mu     sync.Mutex
	answer http.HandlerFunc
	heard  []*http.Request
}

// New returns a node that refuses everything (500) until Answer is called. secure is its TLS; nil: HTTP/2 in clear.
func New(secure *tls.Config) *Node {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)

	n := &Node{}
	n.server = &http.Server{Handler: http.HandlerFunc(n.serve), Protocols: protocols, TLSConfig: secure}

	return n
}

// Serve serves until Close.
func (n *Node) Serve(l net.Listener) {
	n.served.Go(func() {
		if n.server.TLSConfig != nil {
			_ = n.server.ServeTLS(l, "", "")
		} else {
			_ = n.server.Serve(l)
		}
	})
}

// Close ends it.
func (n *Node) Close() error {
	err := n.server.Close()
	n.served.Wait()

	return err
}

// Answer answers all requests from now on.
func (n *Node) Answer(answer http.HandlerFunc) {
	n.mu.Lock()
	defer n.mu.Unlock()

	n.answer = answer
}

// Says answers all requests from now on with this status and body.
func (n *Node) Says(status int, body string) {
	n.Answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

// Heard returns the requests that came.
func (n *Node) Heard() []*http.Request {
	n.mu.Lock()
	defer n.mu.Unlock()

	return slices.Clone(n.heard)
}

func (n *Node) serve(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // of a request for a token

	n.mu.Lock()
	n.heard = append(n.heard, r.Clone(context.WithoutCancel(r.Context())))
	answer := n.answer
	n.mu.Unlock()

	if answer == nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}

	answer(w, r)
}

// Dial opens a connection.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Forward returns the handler of an SCP (TS 29.500 §6.10): a request goes to the root that it names, or to that of the type of network
// function that it is for.
func Forward(dial Dial, roots map[sbi.NFType]string) http.HandlerFunc {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)

	proxy := &httputil.ReverseProxy{
		Transport: &http.Transport{Protocols: protocols, DialContext: dial},
		Rewrite: func(r *httputil.ProxyRequest) {
			root := r.In.Header.Get(sbi.TargetAPIRoot)
			if root == "" {
				root = roots[sbi.NFType(r.In.Header.Get(sbi.DiscoveryPrefix+"target-nf-type"))]
			}

			to, err := url.Parse(root)
			if err != nil || to.Host == "" {
				to = &url.URL{Scheme: "http", Host: "192.0.2.255:9"} // nobody
			}

			r.SetURL(to)

			for name := range r.Out.Header {
				if strings.HasPrefix(strings.ToLower(name), "3gpp-sbi-") {
					r.Out.Header.Del(name)
				}
			}
		},
	}

	return proxy.ServeHTTP
}

// Front returns the handler of a node by which another one is reached: what it makes is at the front.
func Front(dial Dial, root string) http.HandlerFunc {
	forward := Forward(dial, nil)

	return func(w http.ResponseWriter, r *http.Request) {
		own := "http://" + r.Host
		if r.TLS != nil {
			own = "https://" + r.Host
		}

		r.Header.Set(sbi.TargetAPIRoot, root)
		forward(&moved{w, root, own}, r)
	}
}

// moved changes the root in Location.
type moved struct {
	http.ResponseWriter
	from, to string
}

func (m *moved) WriteHeader(status int) {
	if location := m.Header().Get("Location"); location != "" {
		m.Header().Set("Location", strings.Replace(location, m.from, m.to, 1))
	}

	m.ResponseWriter.WriteHeader(status)
}
