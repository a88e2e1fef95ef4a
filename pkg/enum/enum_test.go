package enum

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dialtone-ims/dialtone/test/nameserver"
)

// zone returns the records of one number.
func zone(number, apex string, records ...string) (lines []string) {
	name, ok := domain(number, apex)
	if !ok {
		panic(number)
	}

	for _, r := range records {
		lines = append(lines, name+" 60 IN "+r)
	}

	return lines
}

func naptr(order, preference int, flags, service, expression string) string {
	return fmt.Sprintf("NAPTR %d %d %q %q \"%s\" .", order, preference, flags, service, strings.ReplaceAll(expression, `\`, `\\`))
}

// RFC 6116, against a DNS server.
func TestTranslate(t *testing.T) {
	const apex = "e164.example"

	var all []string
	of := func(number string, records ...string) { all = append(all, zone(number, apex, records...)...) }

	of("+15550001", naptr(100, 10, "u", "E2U+sip", "!^.*$!sip:one@example.com!"))
	of("+15550002", naptr(100, 10, "U", "e2u+SIP", `!^\+1555(.*)$!sip:\1@example.com;user=phone!`))
	of(
		"+15550003",
		naptr(200, 1, "u", "E2U+sip", "!^.*$!sip:order200@example.com!"),
		naptr(100, 90, "u", "E2U+sip", "!^.*$!sip:order100-90@example.com!"),
		naptr(100, 20, "u", "E2U+sip", "!^.*$!sip:order100-20@example.com!"),
	)
	of("+15550004", naptr(10, 10, "u", "E2U+email:mailto", "!^.*$!mailto:a@example.com!"), naptr(10, 5, "u", "E2U+pstn:tel", "!^.*$!tel:+1!"),
		naptr(20, 10, "u", "E2U+voice:tel+sip", "!^.*$!sip:compound@example.com!"))
	of("+15550005", naptr(10, 10, "u", "E2U+sip:x", "!^.*$!sip:a@example.com!"), naptr(10, 10, "u", "sip+E2U", "!^.*$!sip:old@example.com!"),
		naptr(10, 10, "s", "E2U+sip", "!^.*$!sip:a@example.com!"))
	of("+15550006", naptr(10, 10, "u", "E2U+sip", `!^\+49!sip:a@example.com!`), naptr(20, 10, "u", "E2U+sip", "!^(!sip:a@example.com!"),
		naptr(30, 10, "u", "E2U+sip", "!^.*$!http://example.com!"), naptr(40, 10, "u", "E2U+sip", "!^.*$!SIP:last@example.com!"))
	of("+15550007", `NAPTR 10 10 "" "" "" elsewhere.example.`)
	of("+15550008", `NAPTR 10 10 "" "" "" loop.example.`)
	of("+15550009", "TXT \"no NAPTR\"")
	of("+155500101234567", naptr(10, 10, "u", "E2U+sip", "!^.*$!sip:fifteen@example.com!"))
	all = append(all, "elsewhere.example. 60 IN "+naptr(10, 10, "u", "E2U+sip", `!^(.*)$!sip:\1@elsewhere.example!`),
		`loop.example. 60 IN NAPTR 10 10 "" "" "" loop.example.`)

	server := nameserver.Start(t, all...)
	denied, _ := domain("+15550090", apex)
	dropped, _ := domain("+15550091", apex)
	server.Deny(denied, dns.RcodeServerFailure)
	server.Drop(dropped)

	registry := prometheus.NewRegistry()
	translator, err := New(Config{Apex: apex, Servers: []string{server.Address}, Timeout: 200 * time.Millisecond}, registry)
	if err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name, number, want string
		fails              string
	}{
		{name: "one record", number: "+15550001", want: "sip:one@example.com"},
		{name: "flag and service in other letters, digits of the number", number: "+15550002", want: "sip:0002@example.com;user=phone"},
		{name: "order before preference", number: "+15550003", want: "sip:order100-20@example.com"},
		{name: "other services first, one of several types", number: "+15550004", want: "sip:compound@example.com"},
		{name: "services and flags that are none", number: "+15550005"},
		{name: "records that cannot be used", number: "+15550006", want: "SIP:last@example.com"},
		{name: "another name", number: "+15550007", want: "sip:+15550007@elsewhere.example"},
		{name: "names without end", number: "+15550008", fails: "more than 5 names"},
		{name: "no NAPTR", number: "+15550009"},
		{name: "no such number", number: "+15559999"},
		{name: "fifteen digits", number: "+155500101234567", want: "sip:fifteen@example.com"},
		{name: "sixteen digits", number: "+1555001012345678"},
		{name: "not global", number: "15550001"},
		{name: "no digits", number: "+1555x"},
		{name: "a plus", number: "+"},
		{name: "the server fails", number: "+15550090", fails: "SERVFAIL"},
		{name: "the server is silent", number: "+15550091", fails: "timeout"},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			uri, err := translator.Translate(t.Context(), test.number)
			if uri != test.want || (err != nil) != (test.fails != "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("%s is %q, %v; want %q", test.number, uri, err, test.want)
			}
		})
	}

	for range 5 {
		_, _ = translator.Translate(t.Context(), "+15550001")
	}
	name, _ := domain("+15550001", apex)
	if n := server.Asked(name, "NAPTR"); n != 1 {
		t.Errorf("one number was asked for %d times", n)
	}

	if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP dialtone_enum_translations_total Numbers looked up by ENUM, by outcome.
# TYPE dialtone_enum_translations_total counter
dialtone_enum_translations_total{outcome="failed"} 3
dialtone_enum_translations_total{outcome="found"} 12
dialtone_enum_translations_total{outcome="none"} 7
`)); err != nil {
		t.Error(err)
	}
}

func TestDomain(t *testing.T) {
	if got, ok := domain("+442079460148", "e164.arpa"); !ok || got != "8.4.1.0.6.4.9.7.0.2.4.4.e164.arpa." {
		t.Error(got)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for setting, c := range map[string]Config{
		"enum.apex":    {Apex: "a..b", Timeout: time.Second},
		"enum.timeout": {Apex: "e164.arpa"},
		"enum.servers": {Apex: "e164.arpa", Timeout: time.Second, Servers: []string{"192.0.2.53"}},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), setting) {
			t.Errorf("%s: %v", setting, err)
		}
	}

	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if translator, err := New(c, nil); translator != nil || err != nil {
		t.Errorf("without an apex: %v %v", translator, err)
	}
}
