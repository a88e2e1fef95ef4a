package app

import (
	"slices"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

// threeAPNs returns a subscription of a SIM's own: internet, ims and mms.
func threeAPNs() *subscriber.EPS {
	e := everybody()
	e.APNs = append(e.APNs, e.APNs[0])
	e.APNs[2].Name = "mms"

	return &e
}

// regional announces the feature of an MME that serves users in some zones only.
func regional(q *s6a.ULR) {
	q.SupportedFeatures = []cx.SupportedFeatures{
		{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: s6a.FeatureRegionalSubscription},
	}
}

// TestWhatIsWithdrawnFromAnMME: what goes without anything else changing is deleted by a DSR (TS 29.272 §5.2.2.2); an IDR says the rest.
// APNs that stay keep their Context-Identifier.
func TestWhatIsWithdrawnFromAnMME(t *testing.T) {
	h := start(t, withMMEs(t))
	m := connectMME(t, h, "mme")

	without := func(names ...string) func(*provisioning.PrivateIdentity) {
		return func(p *provisioning.PrivateIdentity) {
			p.EPS.APNs = slices.DeleteFunc(p.EPS.APNs, func(a subscriber.APN) bool { return slices.Contains(names, a.Name) })
		}
	}
	noZones := func(p *provisioning.PrivateIdentity) { p.EPS.Zones = nil }

	for _, test := range []struct {
		name     string
		features func(*s6a.ULR)
		zones    []string
		change   func(*provisioning.PrivateIdentity)
		flags    s6a.DSRFlags // 0: no DSR
		contexts []uint32
		idr      []uint32 // contexts of the APNs in it; none: no IDR
	}{
		{name: "an APN", change: without("mms"), flags: s6a.PDNContextsWithdrawn, contexts: []uint32{3}},
		{name: "two APNs", change: without("ims", "mms"), flags: s6a.PDNContextsWithdrawn, contexts: []uint32{2, 3}},
		{name: "the default APN", change: without("internet"), idr: []uint32{2, 3}},
		{name: "an APN, and the number changes", change: func(p *provisioning.PrivateIdentity) {
			without("ims")(p)
			p.MSISDN = "15559999"
		}, idr: []uint32{1, 3}},
		{name: "an APN, and another one comes", change: func(p *provisioning.PrivateIdentity) {
			without("ims")(p)
			p.EPS.APNs = append(p.EPS.APNs, p.EPS.APNs[0])
			p.EPS.APNs[2].Name, p.EPS.APNs[2].Context = "corporate", 0
		}, idr: []uint32{1, 3, 2}},
		{name: "zones", features: regional, zones: []string{"0001", "00aF"}, change: noZones, flags: s6a.ZonesWithdrawn},
		{
			name: "zones that the MME does not know", zones: []string{"0001"}, change: noZones,
			flags: s6a.RoamingRestrictionWithdrawn,
		},
		{name: "a zone of two", features: regional, zones: []string{"0001", "0002"}, change: func(p *provisioning.PrivateIdentity) {
			p.EPS.Zones = p.EPS.Zones[:1]
		}, idr: []uint32{1, 2, 3}},
		{name: "zones and an APN, and the number", features: regional, zones: []string{"0001"}, change: func(p *provisioning.PrivateIdentity) {
			without("mms")(p)
			noZones(p)
			p.MSISDN = "15559999"
		}, flags: s6a.ZonesWithdrawn, idr: []uint32{1, 2}},
		{name: "zones and an APN", features: regional, zones: []string{"0001"}, change: func(p *provisioning.PrivateIdentity) {
			without("mms")(p)
			noZones(p)
		}, flags: s6a.ZonesWithdrawn | s6a.PDNContextsWithdrawn, contexts: []uint32{3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			here := *h
			here.T = t
			own := threeAPNs()
			own.Zones = test.zones
			here.add(attached, "15550001", func(n *provisioning.NewSubscriber) { n.EPS = own })

			var changes []func(*s6a.ULR)
			if test.features != nil {
				changes = append(changes, test.features)
			}
			ula := m.ulr(attached, changes...)
			want(t, "zones in the ULA", len(ula.Subscription.Zones) > 0, test.features != nil && test.zones != nil)
			want(t, "restriction in the ULA", ula.Subscription.RoamingRestricted != nil, test.features == nil && test.zones != nil)

			m.mu.Lock()
			m.dsr, m.idr = nil, nil
			m.mu.Unlock()
			here.put(attached, test.change)

			if test.flags != 0 {
				m.told(1)
			}
			if test.idr != nil {
				m.told(1)
			}

			if test.flags != 0 {
				want(t, "DSRs", len(m.dsr), 1)
				want(t, "DSR", []any{m.dsr[0].UserName, m.dsr[0].Flags, m.dsr[0].Contexts}, []any{attached, test.flags, test.contexts})
			} else {
				want(t, "DSRs", len(m.dsr), 0)
			}

			var contexts []uint32
			for _, idr := range m.idr {
				for _, apn := range idr.Subscription.Profile.APNs {
					contexts = append(contexts, apn.ContextIdentifier)
				}
			}
			want(t, "APNs in the IDR", contexts, test.idr)
			here.api("DELETE", "/subscribers/"+attached, nil, nil)
			m.told(1) // CLR
		})
	}
}

// TestAnMMEWithoutDSR: an MME that does not have the command, as Open5GS's, gets an IDR with all that is left.
func TestAnMMEWithoutDSR(t *testing.T) {
	h := start(t, withMMEs(t))
	h.add(attached, "15550001", func(n *provisioning.NewSubscriber) { n.EPS = threeAPNs() })
	m := newMME(t, h, "mme", diameter.Identity{Host: h.config.Diameter.OriginHost, Realm: home})
	m.run(h)
	m.attach(attached)

	h.put(attached, func(p *provisioning.PrivateIdentity) { p.EPS.APNs = p.EPS.APNs[:2] })
	m.told(1)
	want(t, "APNs in the IDR", len(m.idr[0].Subscription.Profile.APNs), 2)
	push := h.finished()
	want(t, "the request ("+push.Result+")", []any{push.Command, push.State}, []any{subscriber.DSR, subscriber.PushDelivered})
}

// TestGivenBackBeforeItWasWithdrawn: what a SIM has been given back is not withdrawn by a DSR that comes late.
func TestGivenBackBeforeItWasWithdrawn(t *testing.T) {
	c := withMMEs(t)
	c.Push.Attempts = 1000
	h := start(t, c)
	h.add(attached, "15550001", func(n *provisioning.NewSubscriber) { n.EPS = threeAPNs() })
	m := connectMME(t, h, "mme")
	m.attach(attached)

	m.mu.Lock() // it is busy for long
	m.answers = slices.Repeat([]diameter.Result{diameter.TooBusy}, 1000)
	m.mu.Unlock()

	var mms subscriber.APN
	h.put(attached, func(p *provisioning.PrivateIdentity) { mms, p.EPS.APNs = p.EPS.APNs[2], p.EPS.APNs[:2] })
	m.told(1)
	h.put(attached, func(p *provisioning.PrivateIdentity) { p.EPS.APNs = append(p.EPS.APNs, mms) })
	eventually(t, "the DSR is outdated", func() bool { return h.queued()[0].State == subscriber.PushDelivered })
	want(t, "the DSR", h.queued()[0].Result, "the user is elsewhere by now")

	m.mu.Lock()
	m.answers = nil
	m.mu.Unlock()
	eventually(t, "the IDR is taken", func() bool { return h.queued()[1].State == subscriber.PushDelivered })
}

// TestZonesAreChecked: zone codes are four hexadecimal digits, ten at most, and a Context-Identifier is used once.
func TestZonesAreChecked(t *testing.T) {
	for name, change := range map[string]func(*subscriber.EPS){
		"three digits":                func(e *subscriber.EPS) { e.Zones = []string{"001"} },
		"no digits":                   func(e *subscriber.EPS) { e.Zones = []string{"zone"} },
		"eleven":                      func(e *subscriber.EPS) { e.Zones = slices.Repeat([]string{"0001"}, 11) },
		"a context twice":             func(e *subscriber.EPS) { e.APNs[0].Context, e.APNs[1].Context = 7, 7 },
		"a context that is too great": func(e *subscriber.EPS) { e.APNs[0].Context = 51 },
	} {
		e := threeAPNs()
		change(e)
		if e.Validate() == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}
