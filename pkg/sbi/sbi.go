// Package sbi is the service-based interface of a 5G core (TS 29.500): requests to network functions over HTTP/2, in clear or with TLS,
// directly or through an SCP, with access tokens where they are needed.
package sbi

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Header fields of TS 29.500 §5.2.3.2.
const (
	TargetAPIRoot   = "3gpp-Sbi-Target-apiRoot" // root of the API of the network function that an SCP forwards a request to
	DiscoveryPrefix = "3gpp-Sbi-Discovery-"     // followed by a query parameter of Nnrf_NFDiscovery: the SCP finds the network function
)

// NFType is the type of a network function (TS 29.510 §6.1.6.3.3).
type NFType string

// Values of NFType that occur here. A P-CSCF acts as an application function.
const (
	AF  NFType = "AF"
	BSF NFType = "BSF"
	NRF NFType = "NRF"
	PCF NFType = "PCF"
)

// Service is a service of a network function (TS 29.510 §6.1.6.3.11).
type Service struct {
	Of   NFType
	Name string // as in its URIs: "npcf-policyauthorization"
}

// ProblemDetails says why a request is refused (TS 29.571 §5.2.4.1). Open5GS sends no cause. Errors of access tokens have the last two
// (RFC 6749 §5.2).
type ProblemDetails struct {
	Title  string `json:"title,omitempty"`
	Status int    `json:"status,omitempty"`
	Detail string `json:"detail,omitempty"`
	Cause  string `json:"cause,omitempty"`

	Error       string `json:"error,omitempty"`
	Description string `json:"error_description,omitempty"`
}

// Answer is an answer, read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte

	from NFType
	base *url.URL // of the resource that was asked for
}

// Successful reports whether the request was granted.
func (a *Answer) Successful() bool { return a.Status >= 200 && a.Status <= 299 }

// Problem returns the body of a refusal, empty if it has none that can be read.
func (a *Answer) Problem() (p ProblemDetails) {
	if json.Unmarshal(a.Body, &p) != nil {
		return ProblemDetails{} // a status by itself will do
	}

	return p
}

// Retry returns when the request may be repeated, as the answer states; 0: not stated.
func (a *Answer) Retry() time.Duration {
	seconds, err := strconv.ParseUint(a.Header.Get("Retry-After"), 10, 32)
	if err != nil {
		return 0
	}

	return time.Duration(seconds) * time.Second
}

// Words returns the refusal in words: "the PCF answers 403 Forbidden", with the usual reason for it, if why has one, and what it says
// itself.
func (a *Answer) Words(why string) string {
	p := a.Problem()
	words := fmt.Sprintf("the %s answers %d %s", a.from, a.Status, cmp.Or(p.Cause, p.Error, http.StatusText(a.Status)))
	words = strings.TrimSpace(words)

	if why != "" {
		words += ": " + why
	}

	if said := strings.TrimSpace(strings.Join([]string{p.Title, p.Detail, p.Description}, " ")); said != "" {
		words += fmt.Sprintf(" (%q)", strings.Join(strings.Fields(said), " "))
	}

	return words
}

var errLeavesTLS = errors.New("leads from TLS")

// Location returns the URI of the resource that a request has created (TS 29.500 §6.10.4: behind an SCP, the root may stand in a header
// field of its own). What was reached by TLS stays so: requests to it carry an access token.
func (a *Answer) Location() (string, error) {
	location := a.Header.Get("Location")
	if location == "" {
		return "", http.ErrNoLocation
	}

	uri, err := url.Parse(location)
	if err != nil {
		return "", err
	}

	base := a.base
	if root, err := ParseRoot(a.Header.Get(TargetAPIRoot)); err == nil {
		base = root
	}

	uri = base.ResolveReference(uri)
	if (uri.Scheme != "http" && uri.Scheme != "https") || uri.Host == "" {
		return "", fmt.Errorf("%q is no URI of HTTP", location)
	}

	if a.base.Scheme == "https" && uri.Scheme != "https" {
		return "", fmt.Errorf("%w to %s", errLeavesTLS, uri)
	}

	return uri.String(), nil
}

// ParseRoot parses the root of an API (TS 29.501 §4.4.1): http or https, an authority, and perhaps a prefix.
func ParseRoot(text string) (*url.URL, error) {
	root, err := url.Parse(text)
	if err != nil {
		return nil, err
	}

	if (root.Scheme != "http" && root.Scheme != "https") || root.Hostname() == "" || root.RawQuery != "" || root.Fragment != "" ||
		root.User != nil {
		return nil, fmt.Errorf("%q is no root of an API, as http://127.0.0.13:7777", text)
	}

	return root, nil
}

// IPEndPoint is where a service is reached (TS 29.510 §6.1.6.2.5).
type IPEndPoint struct {
	IPv4 string `json:"ipv4Address,omitempty"`
	IPv6 string `json:"ipv6Address,omitempty"`
	Port int    `json:"port,omitempty"`
}

// Place is where a network function says it is reached.
type Place struct {
	Scheme    string
	FQDN      string
	EndPoints []IPEndPoint
	Prefix    string
}

// Root returns the root of the API; "": it does not say where it is. With TLS the name counts, which the certificate has, otherwise the
// address, which needs no DNS. free5GC writes whole roots as its prefix and as its name.
func (p *Place) Root() string {
	for _, whole := range []string{p.Prefix, p.FQDN} {
		if strings.Contains(whole, "://") {
			if root, err := ParseRoot(whole); err == nil {
				return strings.TrimSuffix(root.String(), "/")
			}

			return ""
		}
	}

	host, port := p.FQDN, 0

	for _, e := range p.EndPoints {
		address := cmp.Or(e.IPv4, e.IPv6)
		port = e.Port

		if address != "" && (host == "" || p.Scheme == "http") {
			host = address
		}

		if host != "" {
			break
		}
	}

	if host == "" {
		return ""
	}

	if port != 0 {
		host = net.JoinHostPort(host, strconv.Itoa(port))
	} else if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}

	root, err := ParseRoot(p.Scheme + "://" + host)
	if err != nil {
		return ""
	}

	root.Path = strings.TrimSuffix(p.Prefix, "/")
	if root.Path != "" && root.Path[0] != '/' {
		root.Path = "/" + root.Path
	}

	return root.String()
}
