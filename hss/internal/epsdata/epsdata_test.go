package epsdata

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

func number[N any](n N) *N { return &n }

func TestSubscriptionData(t *testing.T) {
	e := &subscriber.EPS{
		DefaultAPN: "IMS", AMBR: subscriber.BitRates{Uplink: 1, Downlink: 2},
		NotAllowed: []subscriber.RadioAccess{subscriber.NBIoT, subscriber.LTEM},
		APNs: []subscriber.APN{
			{
				Name: "internet", PDNType: subscriber.IPv4v6, QCI: 9, ARP: subscriber.ARP{Priority: 8, Preempts: true, Preemptible: true},
				AMBR: subscriber.BitRates{Uplink: 3, Downlink: 4}, Addresses: []string{"10.45.0.2", "2001:db8::2"},
			},
			{Name: "ims", PDNType: subscriber.IPv6, QCI: 5, ARP: subscriber.ARP{Priority: 1}, AMBR: subscriber.BitRates{Uplink: 5, Downlink: 6}},
		},
	}

	want := s6a.SubscriptionData{
		SubscriberStatus: number[uint32](0), MSISDN: []byte{0x51, 0x55, 0x00, 0x10}, NetworkAccessMode: number[uint32](0),
		AccessRestriction: number(s6a.AccessRestriction(1<<6 | 1<<11)), AMBR: &s6a.AMBR{Uplink: 1, Downlink: 2},
		Profile: s6a.APNProfile{Default: 2, APNs: []s6a.APNConfiguration{
			{
				ContextIdentifier: 1, PDNType: 2, Name: "internet", AMBR: &s6a.AMBR{Uplink: 3, Downlink: 4},
				Addresses: []netip.Addr{netip.MustParseAddr("10.45.0.2"), netip.MustParseAddr("2001:db8::2")},
				QoS:       s6a.QoSProfile{QCI: 9, ARP: s6a.ARP{Priority: 8, Capability: number[uint32](0), Vulnerability: number[uint32](0)}},
			},
			{
				ContextIdentifier: 2, PDNType: 1, Name: "ims", AMBR: &s6a.AMBR{Uplink: 5, Downlink: 6},
				QoS: s6a.QoSProfile{QCI: 5, ARP: s6a.ARP{Priority: 1, Capability: number[uint32](1), Vulnerability: number[uint32](1)}},
			},
		}},
	}

	same := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if diff := cmp.Diff(want, Of(e, &subscriber.PrivateIdentity{MSISDN: "+15550001"}), same, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}

	for _, none := range []string{"", "+", "alice"} {
		if data := Of(e, &subscriber.PrivateIdentity{MSISDN: none}); data.MSISDN != nil {
			t.Errorf("MSISDN %q is %x", none, data.MSISDN)
		}
	}
}

// Where a SIM may attach: always at home (TS 23.003 §2.2), elsewhere if its list has any name of the network.
func TestWhereASIMMayAttach(t *testing.T) {
	abroad := s6a.PLMN{MCC: "901", MNC: "70"}

	for _, test := range []struct {
		visited []string
		plmn    s6a.PLMN
		may     bool
	}{
		{nil, abroad, true},
		{[]string{"ims.mnc001.mcc001.3gppnetwork.org"}, abroad, false},
		{[]string{"elsewhere"}, s6a.PLMN{MCC: "001", MNC: "01"}, true},
		{[]string{"elsewhere"}, s6a.PLMN{MCC: "001", MNC: "010"}, true}, // an MNC of three digits
		{[]string{"mnc070.mcc901.3gppnetwork.org"}, abroad, true},
		{[]string{"ims.mnc070.mcc901.3gppnetwork.org"}, abroad, true},
		{[]string{"EPC.mnc070.mcc901.3gppnetwork.org"}, abroad, true},
		{[]string{"*.mcc901.3gppnetwork.org"}, abroad, true},
	} {
		p := &subscriber.PrivateIdentity{IMSI: "001010000000001", VisitedNetworks: test.visited}
		if got := MayAttach(p, test.plmn); got != test.may {
			t.Errorf("%q in %s: %v, want %v", test.visited, test.plmn, got, test.may)
		}

		p.MME.PLMN = test.plmn.String()
		if got := MayStay(p); got != test.may {
			t.Errorf("%q stays in %s: %v, want %v", test.visited, test.plmn, got, test.may)
		}
	}

	if !MayStay(&subscriber.PrivateIdentity{IMSI: "001010000000001", VisitedNetworks: []string{"elsewhere"}}) {
		t.Error("who is nowhere may not stay there")
	}
}
