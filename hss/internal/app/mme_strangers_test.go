package app

import (
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
)

// TestVectorsForMMEsOfTheConfiguration: S6a is for peers of diameter.peers, even where others may connect; if these name applications, for
// those that name S6a.
func TestVectorsForMMEsOfTheConfiguration(t *testing.T) {
	for _, test := range []struct {
		name string
		peer *diameter.Peer
		want diameter.Result
	}{
		{"a stranger", nil, diameter.ApplicationUnsupported},
		{"a peer for another application", &diameter.Peer{Applications: []uint32{cx.Application.ID}}, diameter.ApplicationUnsupported},
		{"a peer", &diameter.Peer{}, s6a.Success},
		{"a peer for S6a", &diameter.Peer{Applications: []uint32{s6a.Application.ID}}, s6a.Success},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := settings(t)
			c.Diameter.Realms = []string{epc}
			if test.peer != nil {
				test.peer.Host, test.peer.Realm = "mme."+epc, epc
				c.Diameter.Peers = append(c.Diameter.Peers, *test.peer)
			}
			h := start(t, c)
			h.add(attached, "15550001")
			m := connectMME(t, h, "mme")
			want(t, "AIR", m.air(attached).Result, test.want)
			want(t, "ULR", m.ulr(attached).Result, test.want)
		})
	}
}

// TestRealmOfTheEPC: an MME knows only its own realm until the HSS has sent another (open5gs#2878). diameter.realms lists those served
// besides the HSS's own.
func TestRealmOfTheEPC(t *testing.T) {
	for name, test := range map[string]struct {
		realms []string
		want   diameter.Result
	}{
		"named":     {[]string{"EPC.mnc001.mcc001.3gppnetwork.org"}, s6a.Success},
		"not named": {nil, diameter.RealmNotServed},
	} {
		t.Run(name, func(t *testing.T) {
			c := withMMEs(t)
			c.Diameter.Realms = test.realms
			h := start(t, c)
			h.add(attached, "15550001")
			m := connectMME(t, h, "mme")
			want(t, "AIR to the realm of the EPC", m.air(attached).Result, test.want)

			a := m.air(attached, func(q *s6a.AIR) { q.DestinationRealm = home })
			want(t, "AIR to the realm of the IMS", a.Result, s6a.Success)
			want(t, "Origin-Realm", a.OriginRealm, home)
		})
	}
}
