package trace

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// taps collects messages of both ends of one connection.
type taps struct {
	mu   sync.Mutex
	seen []Message
	more chan struct{}
}

func (s *taps) tap(m Message) {
	m.Data = bytes.Clone(m.Data)

	s.mu.Lock()
	defer s.mu.Unlock()

	s.seen = append(s.seen, m)
	s.more <- struct{}{}
}

// next waits for so many messages.
func (s *taps) next(t *testing.T, count int) []Message {
	t.Helper()

	for range count {
		select {
		case <-s.more:
		case <-time.After(time.Minute):
			t.Fatal("waited in vain for a message")
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	return slices.Clone(s.seen)
}

// conversation has a client and a server speak HTTP/2 in clear, and returns what is traced at each end.
func conversation(t *testing.T, handler http.HandlerFunc, ask func(client *http.Client, at string)) (client, server *taps) {
	t.Helper()

	client, server = &taps{more: make(chan struct{}, 100)}, &taps{more: make(chan struct{}, 100)}

	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)

	s := &http.Server{Handler: Tap(server.tap).Server(handler, "N5"), Protocols: protocols}
	served := make(chan struct{})

	go func() {
		defer close(served)
		_ = s.Serve(listener)
	}()

	transport := &http.Transport{Protocols: protocols}
	c := &http.Client{Transport: Tap(client.tap).Client(transport, func(*http.Request) string { return "N5" })}

	ask(c, listener.Addr().String())
	c.CloseIdleConnections()

	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-served

	return client, server
}

func create(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || string(body) != `{"ascReqData":{}}` {
		w.WriteHeader(http.StatusBadRequest)
		return
	}

	w.Header().Set("Location", "http://pcf/app-sessions/7")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(body)
}

func post(t *testing.T, client *http.Client, uri, body string) {
	t.Helper()

	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, uri, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer secret")

	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Error(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Error(err)
	}
}

// A request and its answer are traced at both ends, with one number, in the order in which they go.
func TestHTTP(t *testing.T) {
	client, server := conversation(t, create, func(c *http.Client, at string) {
		post(t, c, "http://"+at+"/app-sessions", `{"ascReqData":{}}`)
	})

	for name, end := range map[string]*taps{"client": client, "server": server} {
		seen := end.next(t, 2)
		request, answer := seen[0], seen[1]

		if request.Sent != (name == "client") || answer.Sent == request.Sent || request.Exchange == 0 || request.Exchange != answer.Exchange ||
			answer.Time.Before(request.Time) {
			t.Errorf("%s: %+v, %+v", name, request, answer)
		}

		for _, m := range seen {
			if m.Protocol != HTTP || m.Interface != "N5" || m.Transport != "TCP" || !m.Local.IsValid() || !m.Remote.IsValid() {
				t.Errorf("%s: %+v", name, m)
			}
		}

		for _, want := range []string{
			"POST /app-sessions HTTP/2\r\nHost: 127.0.0.1:", "\r\nContent-Type: application/json\r\n", "\r\n\r\n" + `{"ascReqData":{}}`,
		} {
			if !strings.Contains(string(request.Data), want) {
				t.Errorf("%s: no %q in\n%s", name, want, request.Data)
			}
		}
		if strings.Contains(string(request.Data), "secret") {
			t.Errorf("%s: a token is shown", name)
		}

		for _, want := range []string{"HTTP/2 201 Created\r\n", "\r\nLocation: http://pcf/app-sessions/7\r\n", `{"ascReqData":{}}`} {
			if !strings.Contains(string(answer.Data), want) {
				t.Errorf("%s: no %q in\n%s", name, want, answer.Data)
			}
		}

		described := describe(Record{Message: request})
		if described.Method != "POST" || described.Text != string(request.Data) {
			t.Errorf("%s: %+v", name, described)
		}
		if described := describe(Record{Message: answer}); described.Method != "" || described.Status != 201 {
			t.Errorf("%s: %+v", name, described)
		}
	}

	if a, b := client.seen[0], server.seen[0]; a.Local != b.Remote || a.Remote != b.Local {
		t.Errorf("%v to %v at the client, %v to %v at the server", a.Local, a.Remote, b.Remote, b.Local)
	}
}

// Without a tap nothing is in between.
func TestHTTPWithoutATap(t *testing.T) {
	if transport := http.RoundTripper(&http.Transport{}); Tap(nil).Client(transport, nil) != transport {
		t.Error("the transport is another")
	}
	if mux := http.NewServeMux(); Tap(nil).Server(mux, "") != http.Handler(mux) {
		t.Error("the handler is another")
	}
}

// What is sent is whole, however much of it is traced; and nothing that cannot be sent is traced.
func TestHTTPOfAnySize(t *testing.T) {
	var got int64

	client, server := conversation(t, func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(make([]byte, 2*maxBody))
	}, func(c *http.Client, at string) {
		post(t, c, "http://"+at+"/", strings.Repeat("x", 3*maxBody))
	})

	if got != 3*maxBody {
		t.Errorf("%d octets came", got)
	}
	for _, m := range slices.Concat(client.next(t, 2), server.next(t, 2)) {
		if len(m.Data) < maxBody || len(m.Data) > maxBody+1000 {
			t.Errorf("%d octets are traced", len(m.Data))
		}
	}

	nowhere := &taps{more: make(chan struct{}, 100)}
	c := &http.Client{Transport: Tap(nowhere.tap).Client(&http.Transport{}, func(*http.Request) string { return "N5" })}
	if answer, err := c.Get("http://127.0.0.1:1/"); err == nil {
		answer.Body.Close()
		t.Error("somebody listens on port 1")
	}
	if len(nowhere.seen) != 0 {
		t.Errorf("%+v", nowhere.seen)
	}
}

// Wireshark reads the capture as HTTP/2 with JSON, also where the ring begins with an answer.
func TestHTTPInWireshark(t *testing.T) {
	client, _ := conversation(t, create, func(c *http.Client, at string) {
		for range 3 {
			post(t, c, "http://"+at+"/app-sessions", `{"ascReqData":{}}`)
		}
		post(t, c, "http://"+at+"/app-sessions", `"`+strings.Repeat("x", 70_000)+`"`)
	})
	seen := client.next(t, 8)

	for name, test := range map[string]struct {
		messages []Message
		want     []string
	}{
		"whole":                  {seen[:4], []string{"POST /app-sessions", "201", "POST /app-sessions", "201"}},
		"beginning in the midst": {seen[1:4], []string{"201", "POST /app-sessions", "201"}},
		"a long body":            {seen[6:], []string{"POST /app-sessions", "400"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "n5.pcapng")

			out, err := os.Create(file)
			if err != nil {
				t.Fatal(err)
			}

			packets, err := newPacketWriter(out)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range test.messages {
				if err := packets.write(m); err != nil {
					t.Fatal(err)
				}
			}
			if err := packets.flush(); err != nil {
				t.Fatal(err)
			}
			if err := out.Close(); err != nil {
				t.Fatal(err)
			}

			as := fmt.Sprintf("tcp.port==%d,http2", seen[0].Remote.Port()) // which no capture of HTTP/2 in clear says

			text, err := exec.CommandContext(t.Context(), "tshark", "-r", file, "-d", as, "-Y", "http2.type == 1", "-T", "fields",
				"-e", "http2.headers.method", "-e", "http2.headers.path", "-e", "http2.headers.status").Output()
			if err != nil {
				t.Fatal(err)
			}

			var got []string
			for line := range strings.Lines(string(text)) {
				got = append(got, strings.Join(strings.Fields(line), " "))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("Wireshark reads %q, want %q", got, test.want)
			}

			whole, err := exec.CommandContext(t.Context(), "tshark", "-r", file, "-d", as, "-V").Output()
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range []string{"Malformed", "not captured", "Expert Info (Error"} {
				if strings.Contains(string(whole), fault) {
					t.Errorf("%s:\n%s", fault, whole)
				}
			}
			if name != "a long body" && !strings.Contains(string(whole), "ascReqData") {
				t.Errorf("no JSON in\n%s", whole)
			}
		})
	}
}

// Any message is written as frames of lengths that add up.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("POST /x HTTP/2\r\nHost: h\r\nAccept: a\r\n\r\n{}"), true)
	f.Add([]byte("HTTP/2 204 No Content\r\n\r\n"), false)
	f.Add([]byte(""), false)
	f.Add([]byte("HTTP/2\r\n:\r\n\r\n"+strings.Repeat("x", maxFrame+1)), false)

	f.Fuzz(func(t *testing.T, data []byte, sent bool) {
		packets, err := newPacketWriter(io.Discard)
		if err != nil {
			t.Fatal(err)
		}

		m := message("TCP", data)
		m.Protocol, m.Sent, m.Exchange = HTTP, sent, 1

		begin, frames := packets.frames(m, direction{m.Local, m.Remote})
		if !strings.HasPrefix(string(begin), preface) {
			t.Errorf("it begins with %q", begin)
		}

		for rest := frames; len(rest) > 0; {
			if len(rest) < 9 {
				t.Fatalf("%d octets are left", len(rest))
			}

			length := 9 + int(rest[0])<<16 + int(rest[1])<<8 + int(rest[2])
			if length > len(rest) {
				t.Fatalf("a frame of %d octets in %d", length, len(rest))
			}

			rest = rest[length:]
		}

		if err := packets.write(m); err != nil {
			t.Error(err)
		}
	})
}

// An access token is not shown, in an answer that breaks off either.
func TestTokensAreNotShown(t *testing.T) {
	for _, body := range []string{`{"access_token":"secret","token_type":"Bearer"}`, `{"expires_in":5,"access_token" : "secr`} {
		text := string(written("HTTP/2 200 OK", nil, "", []byte(body)))
		if strings.Contains(text, "secr") || !strings.Contains(text, "not shown") {
			t.Errorf("%s is shown as %s", body, text)
		}
	}
}
