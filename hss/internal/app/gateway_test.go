package app

import (
	"net/netip"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
	"github.com/dialtone-ims/dialtone/pkg/diameter/swx"
)

// pgw is a PDN gateway.
func pgw(host string) *s6a.PGW {
	return &s6a.PGW{
		Addresses: []netip.Addr{netip.MustParseAddr("10.4.128.7")}, Host: &s6a.PGWHost{Host: host + "." + epc, Realm: epc},
	}
}

func gatewayOf(apn string, g *s6a.PGW) func(*swx.SAR) {
	return func(q *swx.SAR) { q.APN, q.PGW, q.VisitedNetwork = apn, g, "mnc002.mcc002.3gppnetwork.org" }
}

// TestGatewaysOfBothAccesses: the PDN gateway that one access has chosen for an APN is told to the other, so that a connection can move
// between LTE and Wi-Fi (PGW_UPDATE, TS 29.273 §8.1.2.2.2.2; NOR, TS 29.272 §5.2.5.1.3).
func TestGatewaysOfBothAccesses(t *testing.T) {
	h := start(t, withAAA(t))
	h.add(attached, "15550001")
	m, a := connectMME(t, h, "mme"), connectAAA(t, h, "aaa")
	gateway := func(apns []s6a.APNConfiguration, name string) (host string) {
		for _, apn := range apns {
			if apn.Name == name && apn.PGW != nil {
				want(t, "allocation", *apn.Allocation, s6a.DynamicAllocation)
				host = apn.PGW.Host.Host
			}
		}
		return host
	}

	want(t, "before the registration", a.sar(attached, cx.PGWUpdate, gatewayOf("ims", pgw("one"))).Result, swx.ErrorIdentityNotRegistered)
	a.sar(attached, cx.AssignRegistration)

	for name, test := range map[string]struct {
		change func(*swx.SAR)
		want   diameter.Result
	}{
		"by name":             {gatewayOf("IMS", pgw("wifi")), swx.Success},
		"by context":          {func(q *swx.SAR) { one := uint32(1); q.Context, q.PGW = &one, pgw("wifi-internet") }, swx.Success},
		"of no APN":           {gatewayOf("mms", pgw("one")), swx.UnableToComply},
		"without a gateway":   {gatewayOf("ims", nil), diameter.MissingAVP},
		"of an empty gateway": {gatewayOf("ims", new(s6a.PGW)), diameter.InvalidAVPValue},
		"of emergency calls":  {func(q *swx.SAR) { q.PGW, q.Emergency = pgw("one"), swx.EmergencyIndication }, swx.UnableToComply},
	} {
		s := a.sar(attached, cx.PGWUpdate, test.change)
		want(t, name+" ("+s.ErrorMessage+")", s.Result, test.want)
		want(t, name+": user data", s.UserData == nil, true)
	}

	ula := m.ulr(attached)
	want(t, "what the MME gets of ims", gateway(ula.Subscription.Profile.APNs, "ims"), "wifi."+epc)
	want(t, "what the MME gets of internet", gateway(ula.Subscription.Profile.APNs, "internet"), "wifi-internet."+epc)
	want(t, "addresses", ula.Subscription.Profile.APNs[1].PGW.Addresses, "[10.4.128.7]")
	want(t, "its network", ula.Subscription.Profile.APNs[1].VisitedNetwork, "mnc002.mcc002.3gppnetwork.org")

	nor := func(q *s6a.NOR) *s6a.NOA { q.UserName = attached; return ask[s6a.NOA](m, q) }
	want(t, "NOR", nor(&s6a.NOR{APN: "ims", PGW: pgw("lte")}).Result, s6a.Success)
	want(t, "NOR of no APN", nor(&s6a.NOR{APN: "mms", PGW: pgw("lte")}).Result, s6a.UnableToComply)
	want(t, "NOR of no gateway", nor(&s6a.NOR{APN: "ims", PGW: new(s6a.PGW)}).Result, diameter.InvalidAVPValue)
	want(t, "what the AAA server gets", gateway(a.sar(attached, cx.AAAUserDataRequest).UserData.APNs, "ims"), "lte."+epc)

	want(t, "de-registration", a.sar(attached, cx.UserDeregistration).Result, swx.Success)
	want(t, "the gateways stay", gateway(m.ulr(attached).Subscription.Profile.APNs, "ims"), "lte."+epc)

	var shown provisioning.Subscriber
	h.api("GET", "/subscribers/"+attached, nil, &shown)
	want(t, "gateways in the API", len(shown.PrivateIdentities[0].Gateways), 2)

	want(t, "NOR that they are gone", nor(&s6a.NOR{Flags: s6a.ForgetPGWs}).Result, s6a.Success)
	want(t, "none is left", gateway(m.ulr(attached).Subscription.Profile.APNs, "ims"), "")
}

// TestRestorationByAAAServers: an HSS that has not ended cleanly tells the AAA servers that can restore (TS 29.273 §8.1.2.4.1), and takes
// what they know (§8.1.2.4.2).
func TestRestorationByAAAServers(t *testing.T) {
	c := withAAA(t)
	c.Push.Attempts = 1000 // until the AAA servers have connected
	h := start(t, c)
	h.add(attached, "15550001")
	h.add("001010000000002", "15550002")
	able := func(q *swx.SAR) {
		q.SupportedFeatures = []cx.SupportedFeatures{{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: swx.FeatureRestoration}}
	}
	first, second := connectAAA(t, h, "aaa"), connectAAA(t, h, "aaa2")
	s := first.sar(attached, cx.AssignRegistration, able)
	want(t, "features in the SAA", cx.Has(s.SupportedFeatures, swx.FeatureRestoration), true)
	second.sar("001010000000002", cx.AssignRegistration)
	first.stop()
	second.stop()
	h.stop()

	execute(t, h.database(), "UPDATE marks SET value = 'yes' WHERE name = 'running'")
	execute(t, h.database(), "UPDATE private_identities SET aaa_registered = false, aaa_host = '' WHERE imsi = '001010000000002'")
	h = start(t, c)
	first = connectAAA(t, h, "aaa")
	ppr := soon(t, first.ppr)
	want(t, "PPR", []any{ppr.UserName, ppr.Flags, ppr.UserData == nil}, []any{swx.EveryUser, swx.ResetIndication, true})
	want(t, "to the AAA server that can restore, once", len(h.queued()), 1)
	want(t, "outcome", h.finished().State, subscriber.PushDelivered)

	s = first.sar("001010000000002", cx.Restoration, able, func(q *swx.SAR) {
		q.ActiveAPNs = []swx.ActiveAPN{
			{Context: 2, APN: "ims", PGW: pgw("kept")},
			{Context: 9, APN: "withdrawn", PGW: pgw("gone")},
		}
	})
	want(t, "RESTORATION ("+s.ErrorMessage+")", s.Result, swx.Success)
	want(t, "user data in its answer", s.UserData == nil, true)

	var shown provisioning.Subscriber
	h.api("GET", "/subscribers/001010000000002", nil, &shown)
	p := shown.PrivateIdentities[0]
	want(t, "where it is registered", p.AAA.DiameterHost, "aaa."+epc)
	want(t, "its gateways", []any{len(p.Gateways), p.Gateways[0].APN, p.Gateways[0].Host}, []any{1, "ims", "kept." + epc})
}
