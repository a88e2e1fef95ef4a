package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/trace"
)

type settings struct {
	Common `       yaml:",inline"`
	Token  string `yaml:"password"`
}

type runner struct {
	env   *Env
	ready error
}

func (r *runner) Ready() error { return r.ready }

func (r *runner) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func function(build func(*Env) Runner) Function[settings] {
	return Function[settings]{
		Name:    "probe",
		Short:   "a function for this test",
		Default: func() settings { return settings{Common: DefaultCommon("127.0.0.1:0"), Token: "secret"} },
		Build: func(_ context.Context, _ *settings, env *Env) (Runner, error) {
			return build(env), nil
		},
	}
}

func execute(t *testing.T, args ...string) (string, error) {
	t.Helper()

	command := Command(function(func(*Env) Runner { return &runner{} }))

	var out bytes.Buffer
	command.SetOut(&out)
	command.SetErr(io.Discard)
	command.SetArgs(args)
	err := command.ExecuteContext(t.Context())

	return out.String(), err
}

func TestConfigurationFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "probe.yaml")
	if err := os.WriteFile(file, []byte("log:\n  format: json\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	printed, err := execute(t, "--config", file, "--print-config")
	if err != nil || !strings.Contains(printed, "format: json") || !strings.Contains(printed, "address: 127.0.0.1:0") {
		t.Fatalf("--print-config: %v\n%s", err, printed)
	}

	if err := os.WriteFile(file, []byte(printed), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := execute(t, "--config", file, "--check-config"); err != nil || !strings.Contains(said, "good") {
		t.Fatalf("--check-config of what was printed: %v %s", err, said)
	}

	if err := os.WriteFile(file, []byte("log:\n  format: xml\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := execute(t, "--config", file, "--check-config"); err == nil || !strings.Contains(err.Error(), "xml") {
		t.Errorf("a bad format: %v", err)
	}

	if _, err := execute(t, "--log-level", "loud"); err == nil {
		t.Error("a log level that does not exist was taken")
	}

	listed, err := execute(t, "config")
	if err != nil || !regexp.MustCompile(`(?m)^admin\.address +string +127\.0\.0\.1:0$`).MatchString(listed) {
		t.Errorf("config: %v\n%s", err, listed)
	}
}

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "dialtone-service")
	if err != nil {
		panic(err)
	}
	os.Setenv(httpapi.TokenVariable, filepath.Join(folder, "admin.token"))
	status := m.Run()
	os.RemoveAll(folder)
	os.Exit(status)
}

// start serves the function until the test ends and returns the base of its admin port.
func start(t *testing.T, build func(*Env) Runner, change func(*settings)) string {
	t.Helper()

	built := make(chan *Env, 1)
	f := function(func(env *Env) Runner {
		r := build(env)
		built <- env
		return r
	})

	c := f.Default()
	if change != nil {
		change(&c)
	}

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.serve(ctx, &c, &c.Common, io.Discard) }()

	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the function ended with %v", err)
		}
	})

	select {
	case env := <-built:
		return "http://" + env.Admin.Address().String()
	case err := <-done:
		t.Fatalf("the function did not start: %v", err)
		return ""
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+httpapi.TokenFor(url, ""))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()

	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}

	return response.StatusCode, string(body)
}

func TestAdminPort(t *testing.T) {
	probe := &runner{ready: errors.New("no peer at the HSS yet")}
	base := start(t, func(env *Env) Runner { probe.env = env; return probe }, nil)

	tests := []struct {
		path   string
		status int
		part   string
	}{
		{"/healthz", 200, "alive"},
		{"/readyz", 503, "no peer at the HSS yet"},
		{"/metrics", 200, "go_goroutines"},
		{"/config", 200, "password: (hidden)"},
		{"/trace?after=x", 400, "after:"},
		{"/nothing", 404, ""},
	}
	for _, test := range tests {
		if status, body := get(t, base+test.path); status != test.status || !strings.Contains(body, test.part) {
			t.Errorf("GET %s: %d %s, want %d with %q", test.path, status, body, test.status, test.part)
		}
	}
}

func TestAdminRefusesOtherSources(t *testing.T) {
	base := start(t, func(*Env) Runner { return &runner{} }, func(c *settings) {
		c.Admin.AllowFrom = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})

	if status, _ := get(t, base+"/healthz"); status != http.StatusForbidden {
		t.Errorf("a source outside allow_from got %d, want 403", status)
	}
}

func TestAdminToken(t *testing.T) {
	base := start(t, func(*Env) Runner { return &runner{} }, func(c *settings) { c.Admin.Token = "open" })

	var problem *httpapi.Error
	err := httpapi.Client{Base: base, Token: "shut"}.Do(t.Context(), "GET", "/trace", nil, nil)
	if !errors.As(err, &problem) || problem.Status != http.StatusUnauthorized {
		t.Errorf("a wrong token: %v, want 401", err)
	}
	if err := (httpapi.Client{Base: base, Token: "open"}).Do(t.Context(), "GET", "/trace", nil, nil); err != nil {
		t.Errorf("the right token: %v", err)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if status, _ := get(t, base+path); status != http.StatusOK {
			t.Errorf("%s asks for a token: %d", path, status)
		}
	}
	for _, path := range []string{
		"/config",
		"/trace",
		"/trace.pcapng",
		"/debug/pprof/",
		"/debug/pprof/heap",
		"/debug/pprof/profile?seconds=1",
	} {
		if status, _ := get(t, base+path); status != http.StatusUnauthorized {
			t.Errorf("%s without the token: %d", path, status)
		}
	}
}

// Nobody needs to know the token: the first function makes it, the next ones find it, and `get` sends it.
func TestTheTokenIsMadeAtTheFirstStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "home", "admin.token")
	t.Setenv(httpapi.TokenVariable, file)

	base := start(t, func(*Env) Runner { return &runner{} }, nil)
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || len(bytes.TrimSpace(first)) < 26 {
		t.Errorf("%q, %v, %v", first, info.Mode(), err)
	}
	if status, _ := get(t, base+"/config"); status != http.StatusOK {
		t.Errorf("with the token of the file: %d", status)
	}

	other := start(t, func(*Env) Runner { return &runner{} }, nil)
	if second, err := os.ReadFile(file); err != nil || !bytes.Equal(first, second) {
		t.Errorf("%q, then %q, %v", first, second, err)
	}
	t.Setenv("DIALTONE_PROBE_ADMIN_ADDRESS", strings.TrimPrefix(other, "http://"))
	if out, err := execute(t, "get", "/config"); err != nil || !strings.Contains(out, "password: (hidden)") {
		t.Errorf("get /config: %v\n%s", err, out)
	}
	if _, err := execute(t, "get", "/nothing"); err == nil || !strings.Contains(err.Error(), "there is no /nothing: there are /config, ") {
		t.Errorf("get /nothing: %v", err)
	}

	t.Setenv("DIALTONE_PROBE_ADMIN_TOKEN", "another")
	if _, err := execute(t, "get", "/config"); err == nil || !strings.Contains(err.Error(), "bearer token") {
		t.Errorf("get /config with another token: %v", err)
	}
}

// A function that cannot make the file serves all the same, and nobody has its token.
func TestWithoutAPlaceForTheToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(httpapi.TokenVariable, filepath.Join(file, "admin.token"))

	base := start(t, func(*Env) Runner { return &runner{} }, nil)
	if status, _ := get(t, base+"/readyz"); status != http.StatusOK {
		t.Errorf("/readyz: %d", status)
	}
	if status, _ := get(t, base+"/config"); status != http.StatusUnauthorized {
		t.Errorf("/config: %d", status)
	}
}

func TestTraceIsServed(t *testing.T) {
	var tap trace.Tap
	base := start(t, func(env *Env) Runner { tap = env.Tap; return &runner{} }, func(c *settings) { c.Trace.Ring = 3 })

	for i := range 5 {
		tap(trace.Message{
			Protocol: trace.SIP, Interface: "Gm", Transport: []string{"UDP", "TCP"}[i%2], Sent: i%2 == 0,
			Local:  netip.MustParseAddrPort("127.0.0.10:5060"),
			Remote: netip.MustParseAddrPort("127.0.0.100:5060"),
			Data:   fmt.Appendf(nil, "OPTIONS sip:%d SIP/2.0\r\n\r\n", i),
		})
	}

	_, body := get(t, base+"/trace?after=3")
	var records []trace.Record
	if err := json.Unmarshal([]byte(body), &records); err != nil {
		t.Fatal(err)
	}
	if len(records) != 2 || records[0].Sequence != 4 || !strings.Contains(string(records[1].Data), "sip:4") {
		t.Errorf("after 3 of 5: %+v", records)
	}

	_, body = get(t, base+"/trace?limit=2") // the newest, not the oldest
	if err := json.Unmarshal([]byte(body), &records); err != nil || len(records) != 2 || records[0].Sequence != 4 || records[1].Sequence != 5 {
		t.Errorf("the last 2 of 5: %+v, %v", records, err)
	}

	next := ""
	for path, want := range map[string]string{ // 3 to 5 are kept
		"limit=3": "", "limit=2": "/trace?before=4&limit=2", "before=4&limit=2": "", "before=5&limit=1": "/trace?before=4&limit=1",
		"after=1&limit=2": "/trace?after=4&limit=2", "after=3&limit=2": "",
	} {
		if err := (httpapi.Client{
			Base:  base,
			Token: httpapi.TokenFor(base, ""),
			Next:  &next,
		}).Do(t.Context(), "GET", "/trace?"+path, nil, &records); err != nil ||
			next != want {
			t.Errorf("/trace?%s goes on at %q, want %q: %v", path, next, want, err)
		}
	}

	for _, wrong := range []string{"limit=0", "limit=10001", "limit=x", "last=3", "after=1&before=3"} {
		if status, _ := get(t, base+"/trace?"+wrong); status != http.StatusBadRequest {
			t.Errorf("/trace?%s: %d", wrong, status)
		}
	}

	_, capture := get(t, base+"/trace.pcapng")
	reader, err := pcapgo.NewNgReader(strings.NewReader(capture), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	source := gopacket.NewPacketSource(reader, reader.LinkType())
	packets := 0
	for packet := range source.Packets() {
		if packet.ErrorLayer() != nil || packet.ApplicationLayer() == nil && packet.TransportLayer() == nil {
			t.Errorf("packet %d cannot be read: %v", packets, packet)
		}
		packets++
	}
	if packets != 3 {
		t.Errorf("%d packets in the capture, want the 3 of the ring", packets)
	}
}

// A function that is asked to end while it is being built has not failed.
func TestEndsDuringTheStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())

	f := function(nil)
	f.Build = func(ctx context.Context, _ *settings, _ *Env) (Runner, error) {
		cancel()
		return nil, fmt.Errorf("database: %w", ctx.Err())
	}

	command := Command[settings](f)
	command.SetArgs(nil)
	command.SetErr(io.Discard)

	if err := command.ExecuteContext(ctx); err != nil {
		t.Errorf("it fails: %v", err)
	}
}
