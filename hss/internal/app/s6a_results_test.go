package app

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

// s6aResults lists the results that each command of S6a can have: those of TS 29.272 §5.2.1.1.3, §5.2.1.3.3, §5.2.3.1.3 and §5.2.5.1.3,
// with ROAMING_NOT_ALLOWED for AIR (docs/divergences.md), and those of any command.
var s6aResults = map[string][]diameter.Result{
	"AIR": {
		s6a.Success, s6a.ErrorUserUnknown, s6a.ErrorUnknownEPSSubscription, s6a.ErrorRoamingNotAllowed, s6a.AuthenticationDataUnavailable,
		s6a.UnableToComply, diameter.InvalidAVPValue, diameter.MissingAVP, cx.ErrorFeatureUnsupported,
	},
	"ULR": {
		s6a.Success, s6a.ErrorUserUnknown, s6a.ErrorUnknownEPSSubscription, s6a.ErrorRATNotAllowed, s6a.ErrorRoamingNotAllowed,
		s6a.UnableToComply, diameter.InvalidAVPValue, cx.ErrorFeatureUnsupported,
	},
	"PUR": {s6a.Success, s6a.ErrorUserUnknown, s6a.UnableToComply},
	"NOR": {s6a.Success, s6a.ErrorUserUnknown, s6a.ErrorUnknownServingNode, s6a.UnableToComply},
}

// subscribed is a SIM in a situation, and an MME.
type subscribed struct {
	*situation
	*mme
}

func (s *subscribed) eps(e *subscriber.EPS) {
	s.change(func(d *provisioning.Subscriber) { d.PrivateIdentities[0].EPS = e })
}

func (s *subscribed) visits(networks ...string) {
	s.change(func(d *provisioning.Subscriber) { d.PrivateIdentities[0].VisitedNetworks = networks })
}

// elsewhere makes the SIM one that may not roam to a2.
func elsewhere(s *subscribed) { s.visits("elsewhere") }

func illStore(s *subscribed) { ill(s.situation) }

func there(s *subscribed) { s.mme.attach(s.name) }

// s6aRow is one situation, and its result.
type s6aRow struct {
	name, command string
	want          diameter.Result
	before        func(*subscribed)
	ask           func(*subscribed) diameter.Result
}

func rowOfAIR(name string, want diameter.Result, before func(*subscribed), change ...func(*s6a.AIR)) s6aRow {
	return s6aRow{name: name, command: "AIR", want: want, before: before, ask: func(s *subscribed) diameter.Result {
		return s.mme.air(s.name, change...).Result
	}}
}

func rowOfULR(name string, want diameter.Result, before func(*subscribed), change ...func(*s6a.ULR)) s6aRow {
	return s6aRow{name: name, command: "ULR", want: want, before: before, ask: func(s *subscribed) diameter.Result {
		return s.mme.ulr(s.name, change...).Result
	}}
}

func rowOfPUR(name string, want diameter.Result, before func(*subscribed), prefix string) s6aRow {
	return s6aRow{name: name, command: "PUR", want: want, before: before, ask: func(s *subscribed) diameter.Result {
		return s.mme.pur(prefix + s.name).Result
	}}
}

func rowOfNOR(name string, want diameter.Result, before func(*subscribed), prefix string) s6aRow {
	return s6aRow{name: name, command: "NOR", want: want, before: before, ask: func(s *subscribed) diameter.Result {
		return s.mme.nor(prefix + s.name).Result
	}}
}

// a2 is a foreign network: 901-70.
var a2 = []byte{0x09, 0xF1, 0x07}

func s6aRows() []s6aRow {
	unsupported := cx.RequestHeader{SupportedFeatures: []cx.SupportedFeatures{
		{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: 1, Mandatory: true},
	}}
	nothing := func(s *subscribed) { s.eps(&subscriber.EPS{}) }
	restricted := func(s *subscribed) {
		e := everybody()
		e.NotAllowed = []subscriber.RadioAccess{subscriber.WBEUTRAN}
		s.eps(&e)
	}
	password := func(s *subscribed) {
		s.api("PUT", "/subscribers/"+s.name+"/private-identities/"+s.private+"/keys", provisioning.Authentication{Password: "secret"}, nil)
	}
	visits := func(network string) func(*subscribed) { return func(s *subscribed) { s.visits(network) } }
	abroad := func(q *s6a.AIR) { q.VisitedPLMN = a2 }
	auts := func(length int) func(*s6a.AIR) {
		return func(q *s6a.AIR) { q.EUTRAN.Resynchronisation = make([]byte, length) }
	}
	utran := func(q *s6a.AIR) { q.EUTRAN, q.UTRANGERAN = nil, &s6a.RequestedAuthentication{Vectors: 1} }

	return []s6aRow{
		rowOfAIR("a SIM", s6a.Success, nil),
		rowOfAIR("no such IMSI", s6a.ErrorUserUnknown, nil, func(q *s6a.AIR) { q.UserName = "001019999999999" }),
		rowOfAIR("no IMSI at all", s6a.ErrorUserUnknown, nil, func(q *s6a.AIR) { q.UserName += "@" + home }),
		rowOfAIR("no APN", s6a.ErrorUnknownEPSSubscription, nothing),
		rowOfAIR("a password instead of a SIM", s6a.ErrorUnknownEPSSubscription, password),
		rowOfAIR("abroad, where it may not be", s6a.ErrorRoamingNotAllowed, elsewhere, abroad),
		rowOfAIR("at home, whatever it may abroad", s6a.Success, elsewhere),
		rowOfAIR("abroad, where it may be by the name of the IMS", s6a.Success, visits("ims.mnc070.mcc901.3gppnetwork.org"), abroad),
		rowOfAIR("abroad, where it may be by the name of the EPC", s6a.Success, visits("*.mnc070.mcc901.3gppnetwork.org"), abroad),
		rowOfAIR("AUTS of another SIM", s6a.AuthenticationDataUnavailable, nil, auts(30)),
		rowOfAIR("vectors for UTRAN", s6a.AuthenticationDataUnavailable, nil, utran),
		rowOfAIR("half an AUTS", diameter.InvalidAVPValue, nil, auts(14)),
		rowOfAIR("no network", diameter.InvalidAVPValue, nil, func(q *s6a.AIR) { q.VisitedPLMN = []byte{0, 0xF1} }),
		rowOfAIR("vectors for nothing", diameter.MissingAVP, nil, func(q *s6a.AIR) { q.EUTRAN = nil }),
		rowOfAIR("a feature that is not there", cx.ErrorFeatureUnsupported, nil, func(q *s6a.AIR) { q.RequestHeader = unsupported }),
		rowOfAIR("the store is ill", s6a.UnableToComply, illStore),

		rowOfULR("a SIM", s6a.Success, nil),
		rowOfULR("no such IMSI", s6a.ErrorUserUnknown, nil, func(q *s6a.ULR) { q.UserName = "" }),
		rowOfULR("no APN, and UTRAN", s6a.ErrorUnknownEPSSubscription, nothing, func(q *s6a.ULR) { q.RATType = 1000 }),
		rowOfULR("UTRAN, and abroad", s6a.ErrorRATNotAllowed, elsewhere, func(q *s6a.ULR) { q.RATType, q.VisitedPLMN = 1000, a2 }),
		rowOfULR("a radio that it may not use", s6a.ErrorRATNotAllowed, restricted),
		rowOfULR("a radio that it may use", s6a.Success, restricted, func(q *s6a.ULR) { q.RATType = s6a.LTEM }),
		rowOfULR("abroad, where it may not be", s6a.ErrorRoamingNotAllowed, elsewhere, func(q *s6a.ULR) { q.VisitedPLMN = a2 }),
		rowOfULR("no network", diameter.InvalidAVPValue, nil, func(q *s6a.ULR) { q.VisitedPLMN = []byte{0xA0, 0xF1, 0x10} }),
		rowOfULR("a feature that is not there", cx.ErrorFeatureUnsupported, nil, func(q *s6a.ULR) { q.RequestHeader = unsupported }),
		rowOfULR("the store is ill", s6a.UnableToComply, illStore),

		rowOfPUR("attached", s6a.Success, there, ""),
		rowOfPUR("not attached", s6a.Success, nil, ""),
		rowOfPUR("no such IMSI", s6a.ErrorUserUnknown, nil, "9"),
		rowOfPUR("the store is ill", s6a.UnableToComply, illStore, ""),

		rowOfNOR("attached", s6a.Success, there, ""),
		rowOfNOR("not attached", s6a.ErrorUnknownServingNode, nil, ""),
		rowOfNOR("no such IMSI", s6a.ErrorUserUnknown, nil, "9"),
		rowOfNOR("the store is ill", s6a.UnableToComply, illStore, ""),
	}
}

// TestEachS6aCommandGivesEachResult is complete: each result in s6aResults is produced here, over the wire.
func TestEachS6aCommandGivesEachResult(t *testing.T) {
	next, m := situationsOf(t)
	given := map[string][]diameter.Result{}

	for _, row := range s6aRows() {
		t.Run(fmt.Sprintf("%s: %s: %d of vendor %d", row.command, row.name, row.want.Code, row.want.Vendor), func(t *testing.T) {
			s := &subscribed{next(t), &mme{T: t, Node: m.Node}}
			if row.before != nil {
				row.before(s)
			}
			want(t, "result", row.ask(s), row.want)
		})
		given[row.command] = append(given[row.command], row.want)
	}

	for command, results := range s6aResults {
		for _, result := range results {
			if !slices.Contains(given[command], result) {
				t.Errorf("%s: nothing is answered %v", command, result)
			}
		}
		for _, result := range given[command] {
			if !slices.Contains(results, result) {
				t.Errorf("%s: %v is not among its results", command, result)
			}
		}
	}
}

// TestResynchronisationFromAnMME: the SIM was used elsewhere, sends AUTS, and accepts the vector in the answer. A repeated AUTS sets
// nothing back (TS 33.102 §6.3.5).
func TestResynchronisationFromAnMME(t *testing.T) {
	h := start(t, withMMEs(t))
	const imsi = "001010000000001"
	private := h.add(imsi, "15550001")
	m, scscf, sim := connectMME(t, h, "mme"), connect(t, h, "scscf"), card(t)
	sim.SetSQN(5000 << 5)

	v := m.air(imsi).Authentication.EUTRAN[0]
	_, err := challenge(sim, v)

	var failure *aka.SyncFailure
	if !errors.As(err, &failure) {
		t.Fatalf("the SIM says %v, want a synchronisation failure", err)
	}

	resync := func(q *s6a.AIR) { q.EUTRAN.Resynchronisation = slices.Concat(v.RAND, failure.AUTS[:]) }

	for _, when := range []string{"AUTS", "the same AUTS again"} {
		a := m.air(imsi, resync)
		want(t, when+" ("+a.ErrorMessage+")", a.Result, s6a.Success)
		if _, err := challenge(sim, a.Authentication.EUTRAN[0]); err != nil {
			t.Errorf("%s: the SIM refuses the vector: %v", when, err)
		}
	}

	accept(t, sim, scscf.mar(private, "sip:"+private, scscfURI)) // Cx goes on from there

	failure.AUTS[13] ^= 1
	a := m.air(imsi, resync)
	want(t, "AUTS with a wrong MAC-S", a.Result, s6a.AuthenticationDataUnavailable)
	if !strings.Contains(a.ErrorMessage, "K or OPc in the HSS differs from the SIM") {
		t.Errorf("Error-Message %q", a.ErrorMessage)
	}
}

// situationsOf hands out SIMs on one HSS, and an MME.
func situationsOf(t *testing.T) (next func(*testing.T) *situation, m *mme) {
	h := start(t, withMMEs(t))
	m = connectMME(t, h, "mme")
	number := 0

	return func(t *testing.T) *situation {
		number++
		here := *h
		here.T = t
		imsi := fmt.Sprintf("0010100000%05d", number)

		return &situation{hss: &here, name: imsi, private: here.add(imsi, fmt.Sprintf("1555%04d", number))}
	}, m
}
