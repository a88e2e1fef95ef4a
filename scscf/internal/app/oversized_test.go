package app

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// TestRegisterWithoutEnd: an oversized REGISTER of one handset is refused, and the P-CSCF's connection for all handsets goes on.
func TestRegisterWithoutEnd(t *testing.T) {
	c := start(t, nil)

	conn, err := net.Dial("tcp", c.address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	reader := bufio.NewReader(conn)

	for i, test := range []struct {
		name          string
		contact, body int
		status        int
		reason        string
	}{
		{name: "a Contact of 55 kB", contact: 55_000, status: 513, reason: "SIP;cause=513;"},
		{name: "another handset", status: 401},
		{name: "a body of 100 kB", body: 100_000, status: 513},
		{name: "another handset", status: 401},
	} {
		_, err := fmt.Fprintf(
			conn,
			"REGISTER sip:%s SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bK%d\r\nMax-Forwards: 70\r\nFrom: <%s>;tag=1\r\nTo: <%s>\r\n"+
				"Call-ID: %d\r\nCSeq: 1 REGISTER\r\n"+
				"Path: <sip:token@%s;lr>\r\nRequire: path\r\nAuthorization: %s\r\nContact: <sip:%s@192.0.2.1>;x=x%s\r\nContent-Length: %d\r\n\r\n%s",
			home,
			conn.LocalAddr(),
			i,
			public,
			public,
			i,
			conn.LocalAddr(),
			unprotected(),
			imsi,
			strings.Repeat("x", test.contact),
			test.body,
			strings.Repeat("x", test.body),
		)
		if err != nil {
			t.Fatal(err)
		}

		head := ""
		for !strings.HasSuffix(head, "\r\n\r\n") {
			line, err := reader.ReadString('\n')
			if err != nil {
				t.Fatalf("%s: %q %v", test.name, head, err)
			}
			head += line
		}

		m, err := sip.ParseMessage([]byte(head))
		r, ok := m.(*sip.Response)
		if !ok || r.StatusCode != test.status || r.CallID().Value() != fmt.Sprint(i) || !strings.HasPrefix(sip.Value(r, "Reason"), test.reason) {
			t.Fatalf("%s: %v\n%s\nwant %d", test.name, err, head, test.status)
		}
	}
}

// TestLargestContact: a Contact within its bounds makes NOTIFYs within theirs.
func TestLargestContact(t *testing.T) {
	c := start(t, nil)
	h := newHandset(t, c)

	wantStatus(t, h.registerFully("Contact: "+h.contact()+";x="+strings.Repeat("'", 4000)), 200) // five times as large in XML
	wantStatus(t, h.subscribe("<"+public+">"), 200)

	for version, want := range []string{"full\n" + public + " active active/registered", "partial\n" + number + " active active/created"} {
		r, document := h.notified()
		if document.Version != version || document.String() != want || len(r.Body()) > 32<<10 {
			t.Fatalf("version %d of %d octets:\n%s\nwant %d:\n%s", document.Version, len(r.Body()), document, version, want)
		}
	}
}

// TestThirdPartyRegistrationWithoutEnd: messages too large for the body of a third-party REGISTER are left out; the application server
// learns of the registration.
func TestThirdPartyRegistrationWithoutEnd(t *testing.T) {
	c := start(t, nil)
	as, h := newHandset(t, c), newHandset(t, c)
	c.hss.set(func(s *testHSS) {
		s.userData = profile(
			criterion("sip:as@"+as.address(), "1", "<Extension><IncludeRegisterRequest/><IncludeRegisterResponse/></Extension>", "info"),
		)
	})

	wantStatus(t, h.registerFully("Contact: "+h.contact(), "Subject: "+strings.Repeat("x", 40_000)), 200)

	r := as.received("REGISTER")
	if kind := sip.Value(r, "Content-Type"); kind != "application/3gpp-ims+xml" ||
		!strings.Contains(string(r.Body()), "<service-info>info</service-info>") {
		t.Errorf("%s\n%.200s", kind, r.Body())
	}
}
