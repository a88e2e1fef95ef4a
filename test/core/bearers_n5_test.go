package core

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/rx"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/nbsf"
	"github.com/dialtone-ims/dialtone/pkg/npcf"
	"github.com/dialtone-ims/dialtone/pkg/policy"
	"github.com/dialtone-ims/dialtone/pkg/trace"
	"github.com/dialtone-ims/dialtone/test/network"
	"github.com/dialtone-ims/dialtone/test/sba"
)

// appSessionsOf are the sessions at the PCF that are calls', and those of the signalling of registrations, by the address of the UE.
func appSessionsOf(server *policy.PCF) (calls map[string]*npcf.AppSessionContextReqData, signalling map[netip.Addr]string) {
	calls, signalling = map[string]*npcf.AppSessionContextReqData{}, map[netip.Addr]string{}

	for path, q := range server.Sessions() {
		if ue, err := netip.ParseAddr(q.IPv4); err == nil && q.MediaComponents["0"] != nil {
			signalling[ue] = path
		} else {
			calls[path] = q
		}
	}

	return calls, signalling
}

// Calls ask a PCF for their bearers (TS 29.514 §4.2), by HTTP/2 without an upgrade in both directions, and no session is left there.
func TestBearersOverN5(t *testing.T) {
	t.Run("a PCF alone", func(t *testing.T) { bearersOverN5(t, "") })

	t.Run("a PCF that NRF and BSF name, by TLS, with access tokens", func(t *testing.T) {
		const root = "https://127.0.0.21:7443"

		ours := sba.NewAuthority(t)
		files := ours.Issue("127.0.0.10", ours)

		secure, err := ours.Issue("127.0.0.21", ours).Server()
		if err != nil {
			t.Fatal(err)
		}

		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.21:7443")
		if err != nil {
			t.Fatal(err)
		}

		node := sba.New(secure)
		node.Answer(core5G(root))
		node.Serve(listener)
		defer func() {
			if err := node.Close(); err != nil {
				t.Error(err)
			}
		}()

		bearersOverN5(t, "", "DIALTONE_PCSCF_BEARER_SBI_NRF="+root, "DIALTONE_PCSCF_BEARER_SBI_BSF=discover",
			"DIALTONE_PCSCF_BEARER_SBI_OAUTH2=true", "DIALTONE_PCSCF_BEARER_SBI_NF_INSTANCE=2f5ac1a5-0b1e-4a5e-9a05-9e2ad6ba2f61",
			"DIALTONE_PCSCF_BEARER_SBI_TLS_CA="+files.CA, "DIALTONE_PCSCF_BEARER_SBI_TLS_CERTIFICATE="+files.Certificate,
			"DIALTONE_PCSCF_BEARER_SBI_TLS_KEY="+files.Key, "DIALTONE_PCSCF_BEARER_LOCATION=true")

		heard := map[string]int{}
		for _, q := range node.Heard() {
			heard[strings.Split(q.URL.Path, "/")[1]]++
		}
		if heard["nnrf-disc"] != 1 || heard["oauth2"] != 2 || heard["nbsf-management"] == 0 || heard[npcf.Service] == 0 {
			t.Errorf("the 5G core heard %v", heard)
		}
	})

	t.Run("after a PCRF that does not know the UE", func(t *testing.T) {
		config := diameter.DefaultConfig("pcrf.epc", "epc")
		config.Listen = []diameter.Listener{{Address: "127.0.0.20:3868"}}
		config.AllowUnknownPeers = true

		server, err := policy.NewPCRF(config, diameter.Options{})
		if err != nil {
			t.Fatal(err)
		}

		server.Decide(func(context.Context, *rx.AAR) error { return rx.IPCANSessionNotAvailable })

		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- server.Run(ctx) }()
		defer func() {
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()

		bearersOverN5(t, "pcrf.epc", `DIALTONE_PCSCF_DIAMETER_PEERS=[{host: pcrf.epc, realm: epc, address: "127.0.0.20:3868"}]`)

		kinds := map[string]int{}
		for _, e := range server.Events() {
			kinds[e.Kind]++
		}
		if kinds["AAR"] == 0 || kinds["STR"] != 0 {
			t.Errorf("the PCRF heard %v", kinds)
		}
	})
}

// core5G is an NRF, a BSF and the PCF at one root. The two others want the tokens that the NRF gives.
func core5G(root string) http.HandlerFunc {
	pcf := sba.Front(new(net.Dialer).DialContext, "http://127.0.0.20:7777")
	address, port, _ := strings.Cut(strings.TrimPrefix(root, "https://"), ":")
	at := fmt.Sprintf(`[{"ipv4Address":%q,"port":%s}]`, address, port)

	return func(w http.ResponseWriter, r *http.Request) {
		says := func(text string) { _, _ = w.Write([]byte(text)) }
		bears := func(token string) bool { return r.Header.Get("Authorization") == "Bearer "+token }

		switch service := strings.Split(r.URL.Path, "/")[1]; {
		case service == "nnrf-disc":
			says(`{"validityPeriod":3600,"nfInstances":[{"nfInstanceId":"1","nfType":"BSF","nfStatus":"REGISTERED","nfServices":[
				{"serviceName":"nbsf-management","scheme":"https","nfServiceStatus":"REGISTERED","ipEndPoints":` + at + `}]}]}`)
		case service == "oauth2":
			says(`{"access_token":"for.` + r.PostForm.Get("scope") + `","token_type":"Bearer","expires_in":3600}`)
		case service == nbsf.Service && bears("for."+nbsf.Service):
			says(`{"pcfIpEndPoints":` + at + `}`)
		case service == npcf.Service && bears("for."+npcf.Service):
			pcf(w, r)
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
}

func bearersOverN5(t *testing.T, peer string, more ...string) {
	t.Helper()

	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.20:7777")
	if err != nil {
		t.Fatal(err)
	}

	server := policy.NewPCF(nil)
	go server.Serve(listener)
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()

	n := network.Start(t, append(more,
		"DIALTONE_PCSCF_DATA="+t.TempDir(), "DIALTONE_PCSCF_BEARER_POLICY=required", "DIALTONE_PCSCF_BEARER_SIGNALLING=true",
		"DIALTONE_PCSCF_BEARER_PCF=http://127.0.0.20:7777", "DIALTONE_PCSCF_BEARER_NOTIFY=127.0.0.10:7777")...)
	n.Await("the PCRF, where there is one", func() bool {
		return peer == "" || strings.Contains(n.Metrics("pcscf"), `dialtone_diameter_peer_open{peer="`+peer+`"} 1`)
	})

	alice, bob := n.Subscribe(1000, ""), n.Subscribe(0, "")
	a, b := n.Registered(alice, nil), n.Registered(bob, nil)
	answered := n.Answering(b)

	none := func() {
		t.Helper()
		n.Await("the end of all sessions", func() bool {
			calls, _ := appSessionsOf(server)
			return len(calls) == 0
		})
	}

	n.Await("the sessions of the signalling", func() bool {
		_, signalling := appSessionsOf(server)
		return len(signalling) == 2
	})

	call, err := a.Dial(t.Context(), bob.Tel())
	if err != nil {
		t.Fatal(err)
	}
	other := <-answered

	calls, signalling := appSessionsOf(server)
	for path, q := range calls {
		if q.MediaComponents["1"] == nil || q.MediaComponents["1"].SubComponents["1"] == nil {
			t.Errorf("%s: %+v", path, q)
		}
	}
	if len(calls) != 2 {
		t.Errorf("%d sessions for the call", len(calls))
	}

	for path := range calls {
		if status, err := server.Terminate(t.Context(), path); err != nil || status != http.StatusNoContent {
			t.Errorf("terminated: %d %v", status, err)
		}
		break
	}

	<-call.Ended()
	<-other.Ended()
	if !strings.Contains(call.Why()+other.Why(), policy.Terminated) {
		t.Errorf("BYE says %q and %q", call.Why(), other.Why())
	}
	none()

	traced(t, n, "POST /npcf-policyauthorization/v1/app-sessions HTTP/2\r\n", `"ascReqData":{`, "HTTP/2 201 Created\r\n",
		"/terminate HTTP/2\r\n", "HTTP/2 204 No Content\r\n", "/delete HTTP/2\r\n")
	server.Decide(func(bool, *npcf.AppSessionContextReqData) *policy.Refusal {
		return &policy.Refusal{ProblemDetails: npcf.ProblemDetails{Status: http.StatusNotFound, Title: "Not found"}}
	})

	if call, err = a.Dial(t.Context(), bob.Tel()); err != nil {
		t.Fatal(err)
	}
	other = <-answered

	<-call.Ended()
	<-other.Ended()
	if !strings.Contains(call.Why()+other.Why(), "404 Not Found: it has no PDU session") {
		t.Errorf("BYE says %q and %q", call.Why(), other.Why())
	}
	server.Decide(nil)
	none()

	at := netip.MustParseAddrPort(bob.Address).Addr()
	if status, err := server.Terminate(t.Context(), signalling[at]); err != nil || status != http.StatusNoContent {
		t.Errorf("terminated: %d %v", status, err)
	}
	if _, err := a.Dial(t.Context(), bob.Tel()); err == nil || !strings.Contains(err.Error(), "480") {
		t.Errorf("a call to who cannot be reached: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	for _, h := range []interface{ Deregister(context.Context) error }{a, b} {
		if err := h.Deregister(ctx); err != nil {
			t.Error(err)
		}
	}
	n.Await("the end of all sessions", func() bool { return len(server.Sessions()) == 0 })
}

// traced wants the messages of N5 in the P-CSCF's trace, these among them and in this order.
func traced(t *testing.T, n *network.Network, wanted ...string) {
	t.Helper()

	n.Await("the messages of N5 in the trace", func() bool {
		var records []trace.Record
		if err := httpapi.Local("http://127.0.0.10:9090").Do(t.Context(), "GET", "/trace?limit=10000", nil, &records); err != nil {
			t.Fatal(err)
		}

		var text strings.Builder
		for _, r := range records {
			if r.Protocol == trace.HTTP && r.Interface == "N5" && r.Exchange != 0 {
				text.WriteString(r.Text)
			}
		}

		rest := text.String()
		for _, want := range wanted {
			_, after, found := strings.Cut(rest, want)
			if !found {
				return false
			}

			rest = after
		}

		return true
	})
}
