package sip_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// TestReasonIsEscaped: the text of a Reason is a quoted string that every reader reads the same (RFC 3326 §2, RFC 3261 §25.1).
func TestReasonIsEscaped(t *testing.T) {
	for name, test := range map[string]struct{ text, want, read string }{
		"plain":                        {"no answer", `SIP;cause=480;text="no answer"`, ""},
		"none":                         {"", `SIP;cause=480`, ""},
		"quotes":                       {`the "qop" differs`, `SIP;cause=480;text="the \"qop\" differs"`, ""},
		"quotes alone":                 {`"`, `SIP;cause=480;text="\""`, ""},
		"a backslash":                  {`K\OPc`, `SIP;cause=480;text="K\\OPc"`, ""},
		"a backslash at the end":       {`K\`, `SIP;cause=480;text="K\\"`, ""},
		"CR LF, as of joined errors":   {"first\r\nsecond\nthird", `SIP;cause=480;text="first  second third"`, "first  second third"},
		"what would be a header field": {"x\r\nContact: <sip:a@b>", `SIP;cause=480;text="x  Contact: <sip:a@b>"`, "x  Contact: <sip:a@b>"},
		"a tab":                        {"a\tb", "SIP;cause=480;text=\"a\tb\"", ""},
		"NUL, BEL and DEL":             {"a\x00b\x07c\x7fd", `SIP;cause=480;text="a b c d"`, "a b c d"},
		"UTF-8":                        {"Zürich — 電話", `SIP;cause=480;text="Zürich — 電話"`, ""},
		"a blank that is not printable": {
			"a\u00a0b\u200bc", "SIP;cause=480;text=\"a\u00a0b\u200bc\"", "",
		},
		"no UTF-8":               {"Z\xfcrich", "SIP;cause=480;text=\"Z\ufffdrich\"", "Z\ufffdrich"},
		"separators":             {`a,b;c=<d>`, `SIP;cause=480;text="a,b;c=<d>"`, ""},
		"what escapes look like": {`a\nb\"c`, `SIP;cause=480;text="a\\nb\\\"c"`, ""},
	} {
		reason := sip.Reason{Protocol: sip.ProtocolSIP, Cause: 480, Text: test.text}
		if got := reason.String(); got != test.want {
			t.Errorf("%s: %s\nwant %s", name, got, test.want)
		}
		if test.read == "" {
			test.read = test.text
		}

		r := reply(t, "SIP/2.0 480 Temporarily Unavailable", "Reason: "+reason.String()+", Q.850;cause=16")
		if got := sip.Reasons(r); len(got) != 2 || got[0].Text != test.read || !got[0].Is("sip", 480) || !got[1].Is("q.850", 16) {
			t.Errorf("%s was read as %+v", name, got)
		}
	}
}

func reply(t *testing.T, line string, fields ...string) *sip.Response {
	t.Helper()

	m, err := sip.ParseMessage(
		[]byte(line + "\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\n" +
			"Call-ID: 1\r\nCSeq: 1 INVITE\r\n" + strings.Join(append(fields, "", ""), "\r\n")),
	)
	if err != nil {
		t.Fatal(err)
	}

	return m.(*sip.Response)
}

// TestReasonIsRead: HANDSETS.md has blanks before the semicolons, several values, several fields, a text without quotes.
func TestReasonIsRead(t *testing.T) {
	r := reply(
		t,
		"SIP/2.0 480 Gone",
		`Reason: RELEASE_CAUSE ;cause=3 ;text="Media bearer loss"`,
		`Reason: SIP;text=Declined;cause=603 , Q.850 ; cause = 16`,
		"Reason: Diameter;cause=x",
		"Reason: preemption;cause=1;text=\"UA Preemption\";location=LN",
		`Reason: SIP;text="open`,
		"Reason: SIP",
	)
	want := []sip.Reason{
		{Protocol: "RELEASE_CAUSE", Cause: 3, Text: "Media bearer loss"},
		{Protocol: "SIP", Cause: 603, Text: "Declined"},
		{Protocol: "Q.850", Cause: 16},
		{Protocol: "preemption", Cause: 1, Text: "UA Preemption"},
		{Protocol: "SIP"},
	}

	got := sip.Reasons(r)
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
}

func FuzzReason(f *testing.F) {
	for _, text := range []string{"", "a", `a"b\c`, "\r\n", "\x00\x7f\xff", "ü", `\"`, ",;=<>"} {
		f.Add("SIP", 480, text)
	}

	f.Fuzz(func(t *testing.T, protocol string, cause int, text string) {
		written := sip.Reason{Protocol: protocol, Cause: cause, Text: text}.String()
		if strings.ContainsAny(strings.TrimPrefix(written, protocol), "\r\n\x00") {
			t.Fatalf("%q", written)
		}

		read, err := sip.ParseReason(written)
		if err != nil {
			if protocol == "SIP" {
				t.Fatalf("%q: %v", written, err)
			}

			return
		}

		again, err := sip.ParseReason(read.String())
		if err != nil || again != read {
			t.Fatalf("%q was read as %+v and, written again, as %+v: %v", written, read, again, err)
		}

		printable := !strings.ContainsFunc(text, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
		if protocol == "SIP" && (read.Cause != cause || printable && utf8.ValidString(text) && read.Text != text) {
			t.Fatalf("%q was read as %+v", written, read)
		}
	})
}

// transaction is a transaction that a refusal answers.
type transaction struct {
	request  *sip.Request
	response *sip.Response
}

func (tx *transaction) Request() *sip.Request { return tx.request }

func (tx *transaction) Respond(r *sip.Response) error {
	tx.response = r
	return nil
}

// TestRefuser: a refusal is one response, one log line and one count.
func TestRefuser(t *testing.T) {
	m, err := sip.ParseMessage(
		[]byte(
			"INVITE sip:bob@x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:alice@x>;tag=1\r\nTo: <sip:bob@x>\r\n" +
				"Call-ID: call-1\r\nCSeq: 1 INVITE\r\n\r\n",
		),
	)
	if err != nil {
		t.Fatal(err)
	}

	var (
		log     strings.Builder
		counted []any
	)

	tx := &transaction{request: m.(*sip.Request)}
	dead := errors.New("no connection")
	refuser := sip.Refuser{
		Log:   slog.New(slog.NewTextHandler(&log, nil)),
		Count: func(procedure, method string, status int) { counted = append(counted, procedure, method, status) },
	}
	refusal := sip.Refuse(503, `the "HSS" is away`, sip.NewHeader("Retry-After", "5")).Because(dead)
	refusal.Reasons = append(refusal.Reasons, sip.Reason{Protocol: sip.ProtocolDiameter, Cause: 3002})

	refuser.Refuse(tx, "originating", refusal, "impi", "alice@x")

	r := tx.response
	if r.StatusCode != 503 || r.Reason != "Service Unavailable" || sip.Value(r, "Retry-After") != "5" ||
		strings.Join(sip.Values(r, "Reason"), ", ") != `SIP;cause=503;text="the \"HSS\" is away", DIAMETER;cause=3002` {
		t.Errorf("%s", r)
	}
	if !errors.Is(refusal, dead) {
		t.Error("the cause is not found")
	}
	for _, part := range []string{
		`msg="request refused"`, "case=originating", "method=INVITE", "status=503", `reason="the \"HSS\" is away"`, `cause="no connection"`,
		"from=\"<sip:alice@x>;tag=1\"", "request_uri=sip:bob@x", "call_id=call-1", "impi=alice@x",
	} {
		if strings.Count(log.String(), part) != 1 {
			t.Errorf("the log lacks %s:\n%s", part, log.String())
		}
	}
	if len(counted) != 3 || counted[0] != "originating" || counted[1] != "INVITE" || counted[2] != 503 {
		t.Errorf("counted %v", counted)
	}

	came := reply(t, "SIP/2.0 486 Busy Here", `Reason: SIP;cause=486`, "Reason: Q.850;cause=17", "Retry-After: 60")
	refusal.Replace(came)

	if came.StatusCode != 503 || len(sip.Values(came, "Reason")) != 2 || len(sip.Values(came, "Retry-After")) != 1 ||
		sip.Value(came, "Retry-After") != "5" {
		t.Errorf("%s", came)
	}
}
