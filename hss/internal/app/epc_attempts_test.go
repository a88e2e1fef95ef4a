package app

import (
	"net/url"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
	"github.com/dialtone-ims/dialtone/pkg/diameter/swx"
)

// TestAttemptsByLTEAndWiFi: who has tried to attach, with which result, and in words why no further; by any identity, beside what IMS has
// seen.
func TestAttemptsByLTEAndWiFi(t *testing.T) {
	h := start(t, withAAA(t))
	private := h.add(attached, "15550001")
	h.add("001010000000002", "15550002", func(n *provisioning.NewSubscriber) { n.EPS = &subscriber.EPS{} })
	m, a, scscf := connectMME(t, h, "mme"), connectAAA(t, h, "aaa"), connect(t, h, "scscf")

	tried := func(of, steps string, says ...string) {
		t.Helper()

		var list provisioning.AttemptList
		h.api("GET", "/attempts?"+url.Values{"identity": {of}}.Encode(), nil, &list)
		if len(list.Attempts) != 1 {
			t.Fatalf("of %s: %+v", of, list)
		}

		var got []string
		for _, s := range list.Attempts[0].Steps {
			got = append(got, string(s.Kind)+" "+s.Result)
		}
		want(t, "steps of "+of, strings.Join(got, ", "), steps)

		for _, part := range says {
			if !strings.Contains(list.Attempts[0].Says, part) {
				t.Errorf("of %s it says %q, want %q", of, list.Attempts[0].Says, part)
			}
		}
	}

	m.air(attached)
	tried("15550001", "AIR 2001", "LTE: challenged 0 s ago, no answer yet")
	m.air(attached, func(q *s6a.AIR) { q.EUTRAN.Resynchronisation = make([]byte, 30) })
	tried(attached, "AIR 2001, AIR with AUTS 4181x", "LTE: AUTS of "+private+" has a wrong MAC-S")
	m.attach(attached)
	tried(private, "AIR 2001, AIR with AUTS 4181x, ULR 2001", "LTE: attached")

	scscf.register(private, "sip:"+private)
	a.mar(attached, swx.SchemeEAPAKA)
	tried(attached, "AIR 2001, AIR with AUTS 4181x, ULR 2001, MAR 2001, SAR REGISTRATION 2001, MAR (SWx) 2001",
		"registered; LTE: attached; Wi-Fi: challenged")
	a.sar(attached, cx.AssignRegistration)
	a.sar(attached, cx.AAAUserDataRequest) // is not what a handset tries
	m.pur(attached)
	tried(
		attached,
		"AIR 2001, AIR with AUTS 4181x, ULR 2001, MAR 2001, SAR REGISTRATION 2001, MAR (SWx) 2001, SAR REGISTRATION (SWx) 2001, PUR 2001",
		"registered; LTE: its MME has forgotten it",
		"Wi-Fi: registered by its AAA server",
	)

	m.air("001010000000002")
	a.mar("001010000000002", swx.SchemeEAPAKA)
	tried("15550002", "AIR 5420x, MAR (SWx) 5450x", "LTE: 001010000000002 has no EPS subscription", "Wi-Fi: 001010000000002 has no APN")
	m.air("001010000000002", func(q *s6a.AIR) { q.VisitedPLMN = []byte{1} })
	tried("15550002", "AIR 5420x, MAR (SWx) 5450x, AIR 5004", "LTE: a Visited-PLMN-Id is three octets")

	m.air("001010000000009")
	tried("001010000000009", "AIR 5001x", "it has not been added")
	a.mar("0001010000000008@nai."+epc, swx.SchemeEAPAKA)
	tried("001010000000008", "MAR (SWx) 5001x", "Wi-Fi: ", "it has not been added")

	for range 30 { // what is tried again and again hides nothing of the other networks
		m.air(attached)
	}
	tried2 := func() (ims, lte int) {
		var list provisioning.AttemptList
		h.api("GET", "/attempts?identity="+attached, nil, &list)
		for _, s := range list.Attempts[0].Steps {
			switch s.Kind {
			case "AIR":
				lte++
			case "MAR", "SAR REGISTRATION":
				ims++
			}
		}
		return ims, lte
	}
	ims, lte := tried2()
	want(t, "steps by IMS and LTE", []int{ims, lte}, []int{2, 24})
}
