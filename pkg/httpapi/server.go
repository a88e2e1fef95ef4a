// Package httpapi is the admin HTTP of every function: one server, one way to read requests and to answer them, and the client of the
// command lines.
package httpapi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Config is where the admin HTTP answers, and to whom.
type Config struct {
	Address   string         `yaml:"address"`    // host:port; port 0 takes a free one
	AllowFrom []netip.Prefix `yaml:"allow_from"` // sources that are answered; others get 403
	Names     []string       `yaml:"names"`      // its host names in URLs, besides addresses and the machine's own name
	Token     string         `yaml:"token"`      // needed as "Authorization: Bearer TOKEN" for all but health, readiness and metrics
	TokenFile string         `yaml:"token_file"` // file of the token if none is set; made at the first start
}

// DefaultConfig returns a configuration that answers loopback and private addresses.
func DefaultConfig(address string) Config {
	var allow []netip.Prefix
	for _, prefix := range []string{"127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"} {
		allow = append(allow, netip.MustParsePrefix(prefix))
	}

	return Config{Address: address, AllowFrom: allow}
}

// Validate returns an error for an address that cannot be listened on.
func (c *Config) Validate() error {
	if _, _, err := net.SplitHostPort(c.Address); err != nil {
		return fmt.Errorf("admin.address: %w", err)
	}

	return nil
}

// Handler answers one request, or returns its error: an *Error for the client's fault, any other error for the server's (500, logged).
type Handler func(w http.ResponseWriter, r *http.Request) error

// Server is the admin HTTP of one function.
type Server struct {
	config    Config
	token     string
	log       *slog.Logger
	mux       *http.ServeMux
	listener  net.Listener
	resources []Resource
}

// Listen binds the address at once, so that a port in use is known before anything else starts.
func Listen(c Config, log *slog.Logger) (*Server, error) {
	token, err := c.token()
	if err != nil {
		return nil, fmt.Errorf("admin.token_file: %w", err)
	}

	listener, err := net.Listen("tcp", c.Address)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}

	return &Server{config: c, token: token, log: log, mux: http.NewServeMux(), listener: listener}, nil
}

// token returns the configured token, or the one in the file, or else a new one that dies with the process.
func (c *Config) token() (string, error) {
	switch {
	case c.Token != "":
		return c.Token, nil
	case c.TokenFile != "":
		return readToken(c.TokenFile)
	default:
		return rand.Text(), nil
	}
}

// Address returns where the server listens.
func (s *Server) Address() netip.AddrPort {
	return s.listener.Addr().(*net.TCPAddr).AddrPort()
}

// Handle serves resources.
func (s *Server) Handle(resources ...Resource) {
	for _, one := range resources {
		s.resources = append(s.resources, one)

		s.mux.HandleFunc(one.Pattern, func(w http.ResponseWriter, r *http.Request) {
			if one.Open { // monitors may send any query
				s.answer(w, r, one.Handler(w, r))
				return
			}

			err := s.admit(r)
			if err == nil {
				err = one.Check(r)
			}

			if err == nil {
				err = one.Handler(w, r)
			}

			s.answer(w, r, err)
		})
	}
}

// Resources returns all resources of the server.
func (s *Server) Resources() []Resource { return slices.Clone(s.resources) }

// paths returns the paths with a GET.
func (s *Server) paths() (paths []string) {
	for _, r := range s.Resources() {
		if method, path := r.Path(); method == http.MethodGet {
			paths = append(paths, path)
		}
	}

	slices.Sort(paths)

	return paths
}

// missing returns the answer to a GET of an unknown path, which lists the known ones; nil if the path exists, for this or another method.
func (s *Server) missing(r *http.Request) error {
	if r.Method != http.MethodGet {
		return nil
	}

	other := r.Clone(r.Context())

	for _, other.Method = range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if _, pattern := s.mux.Handler(other); pattern != "" {
			return nil
		}
	}

	return &Error{
		Status: http.StatusNotFound, Title: "there is no " + r.URL.Path, Detail: "there are " + strings.Join(s.paths(), ", "),
	}
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, err error) {
	if err == nil {
		return
	}

	var problem *Error
	if !errors.As(err, &problem) {
		s.log.Error("admin request failed", "method", r.Method, "path", r.URL.Path, "cause", err)
		problem = &Error{Status: http.StatusInternalServerError, Title: "the function could not do this", Detail: err.Error()}
	}

	problem.write(w)
}

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	server := &http.Server{
		Handler:           http.MaxBytesHandler(http.HandlerFunc(s.screen), maxBody),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}

	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)

		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()

		if server.Shutdown(grace) != nil {
			server.Close()
		}
	})

	err := server.Serve(s.listener)
	if stop() { // Serve has failed
		return fmt.Errorf("admin: %w", err)
	}

	<-stopped

	return nil
}
