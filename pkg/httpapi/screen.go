package httpapi

import (
	"crypto/subtle"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// screen answers only the configured sources.
func (s *Server) screen(w http.ResponseWriter, r *http.Request) {
	source, err := netip.ParseAddrPort(r.RemoteAddr)
	allowed := err == nil && slices.ContainsFunc(s.config.AllowFrom, func(p netip.Prefix) bool {
		return p.Contains(source.Addr().Unmap().WithZone(""))
	})

	if !allowed {
		s.answer(
			w,
			r,
			&Error{Status: http.StatusForbidden, Title: "this source is not allowed", Detail: r.RemoteAddr + " is not in admin.allow_from"},
		)
		return
	}

	if err := s.missing(r); err != nil {
		s.answer(w, r, err)
		return
	}

	s.mux.ServeHTTP(w, r)
}

// admit returns nil for requests that may do more than check health: they name the server correctly, have its token, and are none that a
// web page can make a browser send unasked.
func (s *Server) admit(r *http.Request) error {
	if !s.meant(r.Host) {
		return &Error{
			Status: http.StatusMisdirectedRequest, Title: "this is another host",
			Detail: fmt.Sprintf("%q is neither an address, nor this machine's name, nor in admin.names", r.Host),
		}
	}

	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ") // the scheme in any case (RFC 9110 §11.1)
	if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare([]byte(strings.TrimLeft(given, " ")), []byte(s.token)) != 1 {
		return &Error{
			Status: http.StatusUnauthorized, Title: "a bearer token is needed",
			Detail: "that of admin.token, or of the file that the function's first log line names: docs/settings.md says how to use it",
		}
	}

	if r.ContentLength != 0 && !hasType(r, "application/json") && !hasType(r, "application/xml") {
		return unsupported(r)
	}

	return nil
}

// meant reports whether the Host field of a request means this server. With DNS rebinding, a web page whose name was made to point here has
// that name in it; an address cannot be forged so.
func (s *Server) meant(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}

	name = strings.ToLower(strings.Trim(name, "[]"))
	if _, err := netip.ParseAddr(name); err == nil || name == "localhost" {
		return true
	}

	own, _, _ := net.SplitHostPort(s.config.Address) // Listen has accepted it
	machine, _ := os.Hostname()                      // "" if the system does not say

	return name != "" && slices.ContainsFunc(append([]string{own, machine}, s.config.Names...), func(known string) bool {
		return strings.EqualFold(name, known)
	})
}

// hasType reports whether the body's stated media type is kind.
func hasType(r *http.Request, kind string) bool {
	given, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && given == kind
}

func unsupported(r *http.Request) *Error {
	return &Error{
		Status: http.StatusUnsupportedMediaType, Title: "the body has another Content-Type than application/json",
		Detail: fmt.Sprintf("Content-Type: %q", r.Header.Get("Content-Type")),
	}
}
