package app

import (
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

// TestAnIdentityForTheEPC: an MME knows the HSS by another name and realm than the CSCFs do, in all that they say to each other.
func TestAnIdentityForTheEPC(t *testing.T) {
	inEPC := diameter.Identity{Host: "hss." + epc, Realm: epc}
	c := settings(t)
	c.Diameter.Peers = append(c.Diameter.Peers, diameter.Peer{Host: "mme." + epc, Realm: epc, As: inEPC})
	c.Diameter.Peers = append(c.Diameter.Peers, diameter.Peer{Host: "mme2." + epc, Realm: epc})
	h := start(t, c)
	private := h.add(attached, "15550001")
	m := newMME(t, h, "mme", inEPC)
	m.run(h) // the name in the CEA is the one that it expects
	second, scscf := connectMME(t, h, "mme2"), connect(t, h, "scscf")
	named := func(host, realm string) diameter.Identity { return diameter.Identity{Host: host, Realm: realm} }

	a := m.air(attached)
	want(t, "AIR to the realm of the EPC ("+a.ErrorMessage+")", a.Result, s6a.Success)
	want(t, "who answers", named(a.OriginHost, a.OriginRealm), inEPC)
	a = m.air(attached, func(q *s6a.AIR) { q.DestinationHost = inEPC.Host })
	want(t, "AIR to the host in the EPC ("+a.ErrorMessage+")", a.Result, s6a.Success)
	a = m.air("001010000000009")
	want(t, "who refuses", []any{named(a.OriginHost, a.OriginRealm), a.Result}, []any{inEPC, s6a.ErrorUserUnknown})

	m.attach(attached)
	second.attach(attached)
	m.told(1)
	want(t, "who sends the CLR", named(m.clr[0].OriginHost, m.clr[0].OriginRealm), inEPC)

	b := second.air(attached)
	want(t, "who answers others", named(b.OriginHost, b.OriginRealm), named("hss."+home, home))
	l := scscf.mar(private, "sip:"+private, scscfURI)
	want(t, "who answers CSCFs", named(l.OriginHost, l.OriginRealm), named("hss."+home, home))

	h.api("DELETE", "/subscribers/"+attached, nil, nil)
	second.told(1)
	want(t, "who sends the CLR to others", named(second.clr[0].OriginHost, second.clr[0].OriginRealm), named("hss."+home, home))
}
