package stack

import (
	"context"
	"testing"

	"github.com/miekg/dns"

	"github.com/dialtone-ims/dialtone/pkg/lookup"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// alike is a DNS in which every name has the records of one message.
type alike struct {
	records []dns.RR
	asked   int
}

func (a *alike) Ask(_ context.Context, _ string, kind uint16) (found []dns.RR, err error) {
	a.asked++

	for _, record := range a.records {
		if record.Header().Rrtype == kind || record.Header().Rrtype == dns.TypeCNAME {
			found = append(found, record)
		}
	}

	if found == nil {
		return nil, lookup.ErrNone
	}

	return found, nil
}

// FuzzServices: whatever the servers of a stranger's domain say, the number of questions and of targets is bounded (RFC 3263 §4).
func FuzzServices(f *testing.F) {
	for _, zone := range [][]string{
		{
			`x. 60 IN NAPTR 1 1 "s" "SIP+D2U" "" _sip._udp.x.`, `x. 60 IN NAPTR 1 2 "S" "sip+d2t" "" _sip._tcp.x.`,
			"x. 60 IN SRV 1 0 5060 a.x.", "x. 60 IN SRV 1 9 0 .", "x. 60 IN A 192.0.2.1", "x. 60 IN AAAA 2001:db8::1",
		},
		{`x. 60 IN NAPTR 1 1 "a" "SIPS+D2T" "!^.*$!sip:x!" .`, "x. 60 IN CNAME x."},
		many(),
	} {
		m := new(dns.Msg)
		m.SetQuestion("x.", dns.TypeNAPTR)

		for _, line := range zone {
			record, err := dns.NewRR(line)
			if err != nil {
				f.Fatal(err)
			}

			m.Answer = append(m.Answer, record)
		}

		raw, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}

		f.Add(raw)
	}

	f.Fuzz(func(t *testing.T, raw []byte) {
		m := new(dns.Msg)
		if err := m.Unpack(raw); err != nil {
			return
		}

		r, err := NewResolver(DefaultResolverConfig())
		if err != nil {
			t.Fatal(err)
		}

		server := &alike{records: m.Answer}
		r.dns = server

		targets, err := r.Resolve(t.Context(), sip.Uri{Scheme: "sip", Host: "x"})
		if err == nil && len(targets) == 0 {
			t.Error("neither a target nor an error")
		}

		// one NAPTR, the services, two for each host and two for the domain's own name
		if most := 1 + mostServices + 2*mostHosts + 2; server.asked > most {
			t.Errorf("%d questions", server.asked)
		}

		if len(targets) > 2*mostTargets {
			t.Errorf("%d targets", len(targets))
		}

		for _, target := range targets {
			if !target.Addr.Addr().IsValid() || target.Addr.Port() == 0 {
				t.Errorf("%v", target)
			}
		}
	})
}

// many is a domain that names more services than are looked up.
func many() (zone []string) {
	for _, c := range "abcdefghijklmnopqrstuvwxyz" {
		host := string(c) + ".x."
		zone = append(zone, `x. 60 IN NAPTR 1 1 "s" "SIP+D2U" "" `+host, "x. 60 IN SRV 1 1 5060 "+host, "x. 60 IN A 192.0.2."+string('1'+c%9))
	}

	return zone
}
