package lookup

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// replies is a server that answers every question with the same message.
type replies struct{ raw []byte }

func (r replies) ExchangeContext(context.Context, *dns.Msg, string) (*dns.Msg, time.Duration, error) {
	m := new(dns.Msg)

	return m, 0, m.Unpack(r.raw)
}

// Whatever a server replies, the result is records of the requested kind, or an error with the reason; and it is cached for a while.
func FuzzReply(f *testing.F) {
	ask := new(dns.Msg)
	ask.SetQuestion("x.", dns.TypeA)

	for _, reply := range []*dns.Msg{
		answering(f, ask, dns.RcodeSuccess, "x. 300 IN A 192.0.2.1"),
		answering(f, ask, dns.RcodeSuccess, "x. 4294967295 IN CNAME y.", "y. 0 IN A 192.0.2.1"),
		answering(f, ask, dns.RcodeNameError, "x. 4294967295 IN A 192.0.2.1"),
		answering(f, ask, dns.RcodeFormatError),
	} {
		raw, err := reply.Pack()
		if err != nil {
			f.Fatal(err)
		}

		f.Add(raw)
	}

	f.Fuzz(func(t *testing.T, raw []byte) {
		c := &Client{servers: []string{"s"}, udp: replies{raw}, tcp: replies{raw}, memory: newMemory()}

		records, err := c.Ask(t.Context(), "x", dns.TypeA)
		if err == nil && len(Only[*dns.A](records)) == 0 {
			t.Fatalf("%v is an answer to A", records)
		}

		a := c.ask(t.Context(), question{"x.", dns.TypeA})
		if a.life < 0 || a.life > longestLife || a.err != nil && !errors.Is(a.err, ErrNone) && a.life != failureLife {
			t.Errorf("kept for %v: %v", a.life, a.err)
		}
	})
}

func answering(f *testing.F, question *dns.Msg, code int, records ...string) *dns.Msg {
	f.Helper()

	m := new(dns.Msg)
	m.SetRcode(question, code)

	for _, text := range records {
		record, err := dns.NewRR(text)
		if err != nil {
			f.Fatal(err)
		}

		m.Answer = append(m.Answer, record)
	}

	return m
}
