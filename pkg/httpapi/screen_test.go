package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// serve runs a server with one resource of each kind until the test ends, and counts what gets through.
func serve(t *testing.T, change func(*Config)) (*Server, func() int) {
	t.Helper()

	c := DefaultConfig("127.0.0.1:0")
	if change != nil {
		change(&c)
	}
	s, err := Listen(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}

	var (
		mu   sync.Mutex
		done int
	)
	count := func() {
		mu.Lock()
		defer mu.Unlock()
		done++
	}
	type topUp struct {
		Amount int `json:"amount"`
	}
	handlers := map[string]Handler{
		"POST /accounts/{name}/top-ups": func(w http.ResponseWriter, r *http.Request) error {
			if _, err := Decode[topUp](r); err != nil {
				return err
			}
			count()
			return Write(w, http.StatusOK, nil)
		},
		"GET /keys": func(w http.ResponseWriter, _ *http.Request) error {
			count()
			return Write(w, http.StatusOK, "K and OPc")
		},
		"DELETE /keys": func(w http.ResponseWriter, _ *http.Request) error {
			count()
			return Write(w, http.StatusNoContent, nil)
		},
		"PUT /profile": func(w http.ResponseWriter, _ *http.Request) error { count(); return Write(w, http.StatusOK, nil) },
		"GET /healthz": func(w http.ResponseWriter, _ *http.Request) error { return Write(w, http.StatusOK, "alive") },
	}
	for pattern, handler := range handlers {
		s.Handle(Resource{Pattern: pattern, Open: pattern == "GET /healthz", Handler: handler})
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})

	return s, func() int {
		mu.Lock()
		defer mu.Unlock()
		return done
	}
}

// Requests that a web page, or a name made to point here, can make a browser send change nothing and read nothing.
func TestWhoMayUseTheAPI(t *testing.T) {
	s, done := serve(t, func(c *Config) { c.Names = []string{"hss.lab.example"} })
	token := "Bearer " + s.token

	tests := []struct {
		name          string
		method, path  string
		host          string // that of the URL if empty
		authorization string
		contentType   string
		body          string
		status        int
	}{
		{name: "a page posts text", method: "POST", path: "/accounts/a/top-ups", contentType: "text/plain", body: `{"amount": 1}`, status: 401},
		{
			name:          "a page posts text with the token",
			method:        "POST",
			path:          "/accounts/a/top-ups",
			authorization: token,
			contentType:   "text/plain",
			body:          `{"amount": 1}`,
			status:        415,
		},
		{
			name:          "a form",
			method:        "POST",
			path:          "/accounts/a/top-ups",
			authorization: token,
			contentType:   "application/x-www-form-urlencoded",
			body:          `{"amount": 1}`,
			status:        415,
		},
		{name: "no type", method: "POST", path: "/accounts/a/top-ups", authorization: token, body: `{"amount": 1}`, status: 415},
		{
			name:          "a type that cannot be read",
			method:        "POST",
			path:          "/accounts/a/top-ups",
			authorization: token,
			contentType:   "application/json;;",
			body:          `{"amount": 1}`,
			status:        415,
		},
		{
			name:          "XML where JSON is read",
			method:        "POST",
			path:          "/accounts/a/top-ups",
			authorization: token,
			contentType:   "application/xml",
			body:          `{"amount": 1}`,
			status:        415,
		},
		{
			name:          "JSON",
			method:        "POST",
			path:          "/accounts/a/top-ups",
			authorization: token,
			contentType:   "application/json",
			body:          `{"amount": 1}`,
			status:        200,
		},
		{
			name:          "JSON in UTF-8",
			method:        "POST",
			path:          "/accounts/a/top-ups",
			authorization: token,
			contentType:   "application/json; charset=utf-8",
			body:          `{"amount": 1}`,
			status:        200,
		},
		{
			name:          "XML",
			method:        "PUT",
			path:          "/profile",
			authorization: token,
			contentType:   "application/xml",
			body:          "<ServiceProfile/>",
			status:        200,
		},
		{
			name:          "a body where none is wanted",
			method:        "DELETE",
			path:          "/keys",
			authorization: token,
			contentType:   "text/plain",
			body:          "x",
			status:        415,
		},
		{name: "no body", method: "DELETE", path: "/keys", authorization: token, status: 204},

		{name: "a name that was made to point here", method: "GET", path: "/keys", host: "evil.example:9090", authorization: token, status: 421},
		{
			name:          "and the name of a set name below another",
			method:        "GET",
			path:          "/keys",
			host:          "hss.lab.example.evil.example",
			authorization: token,
			status:        421,
		},
		{name: "a set name", method: "GET", path: "/keys", host: "HSS.lab.example:9090", authorization: token, status: 200},
		{name: "localhost", method: "GET", path: "/keys", host: "localhost:9090", authorization: token, status: 200},
		{name: "an address", method: "GET", path: "/keys", host: "192.0.2.1", authorization: token, status: 200},
		{name: "an address of IPv6", method: "GET", path: "/keys", host: "[2001:db8::1]:9090", authorization: token, status: 200},
		{name: "health, whatever the name", method: "GET", path: "/healthz", host: "evil.example", status: 200},

		{name: "no token", method: "GET", path: "/keys", status: 401},
		{name: "another token", method: "GET", path: "/keys", authorization: token + "x", status: 401},
		{name: "the token by another scheme", method: "GET", path: "/keys", authorization: "Basic " + s.token, status: 401},
		{name: "the token", method: "GET", path: "/keys", authorization: token, status: 200},
		{name: "the token, the scheme in small letters", method: "GET", path: "/keys", authorization: "bearer  " + s.token, status: 200},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := done()
			url := "http://" + s.Address().String() + test.path

			request, err := http.NewRequestWithContext(t.Context(), test.method, url, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			request.Host = test.host
			for name, value := range map[string]string{"Authorization": test.authorization, "Content-Type": test.contentType} {
				if value != "" {
					request.Header.Set(name, value)
				}
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			answer, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != test.status {
				t.Errorf("%d %s (%v), want %d", response.StatusCode, answer, err, test.status)
			}
			if through := done() > before; through != (test.status < 300 && test.path != "/healthz") {
				t.Errorf("%d, and it was done: %v", test.status, through)
			}
		})
	}
}

// Five functions that start at the same time have one token.
func TestOneTokenIsMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a", "b", "admin.token")

	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		found = map[string]bool{}
	)
	for range 16 {
		all.Go(func() {
			token, err := readToken(file)
			if err != nil || len(token) < 26 {
				t.Errorf("%q, %v", token, err)
			}
			mu.Lock()
			defer mu.Unlock()
			found[token] = true
		})
	}
	all.Wait()

	if len(found) != 1 {
		t.Errorf("%d tokens", len(found))
	}
	if rest, err := os.ReadDir(filepath.Dir(file)); err != nil || len(rest) != 1 {
		t.Errorf("%v, %v", rest, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}

	if err := os.WriteFile(file, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readToken(file); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("an empty file: %v", err)
	}
}

// The token of this machine is sent to this machine only.
func TestTheTokenStaysHere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "admin.token")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(TokenVariable, file)

	for base, want := range map[string]string{
		"http://127.0.0.13:9090":        "secret",
		"http://[::1]:9090":             "secret",
		"http://localhost:9090":         "secret",
		"http://192.0.2.1:9090":         "",
		"http://hss.example:9090":       "",
		"http://localhost.evil.example": "",
		"http://127.0.0.1.evil.example": "",
		"%":                             "",
	} {
		if got := Local(base).Token; got != want {
			t.Errorf("%s is told %q, want %q", base, got, want)
		}
	}
	if got := TokenFor("http://127.0.0.1:9090", filepath.Join(t.TempDir(), "none")); got != "" {
		t.Errorf("%q from a file that is not there", got)
	}
}
