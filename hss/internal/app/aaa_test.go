package app

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/swx"
)

// aaa is the 3GPP AAA server of an ePDG, as connected to the HSS.
type aaa struct {
	*testing.T
	*diameter.Node

	rtr  chan *swx.RTR
	ppr  chan *swx.PPR
	stop func()
}

// withAAA returns the configuration of an HSS that also serves the AAA servers of an ePDG.
func withAAA(t *testing.T) *Config {
	c := withMMEs(t)
	c.Diameter.Peers = append(c.Diameter.Peers, diameter.Peer{Host: "aaa." + epc, Realm: epc}, diameter.Peer{Host: "aaa2." + epc, Realm: epc})

	return c
}

func connectAAA(t *testing.T, h *hss, name string) *aaa {
	t.Helper()

	c := diameter.DefaultConfig(name+"."+epc, epc)
	c.Peers = []diameter.Peer{{Host: h.config.Diameter.OriginHost, Realm: home, Address: h.built.Node.Addresses()[0].String()}}
	c.ReconnectMin, c.ReconnectMax = 10*time.Millisecond, 10*time.Millisecond
	c.RequestTimeout = time.Minute

	node, err := diameter.New(c, []diameter.Application{swx.Application}, diameter.Options{Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}

	a := &aaa{T: t, Node: node, rtr: make(chan *swx.RTR, 10), ppr: make(chan *swx.PPR, 10)}
	diameter.Handle(node, func(_ context.Context, q *swx.RTR) (*swx.RTA, error) { a.rtr <- q; return new(swx.RTA), nil })
	diameter.Handle(node, func(_ context.Context, q *swx.PPR) (*swx.PPA, error) { a.ppr <- q; return new(swx.PPA), nil })

	ctx, cancel := context.WithCancel(context.Background())

	var running sync.WaitGroup
	running.Go(func() { _ = node.Run(ctx) })
	a.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(a.stop)

	eventually(t, name+" is connected", func() bool {
		if node.Ready() != nil {
			return false
		}
		for _, other := range h.built.Node.Peers() {
			if other.Host == name+"."+epc && other.State == "open" {
				return true
			}
		}
		return false
	})

	return a
}

func (a *aaa) mar(user, scheme string, change ...func(*swx.MAR)) *swx.MAA {
	a.Helper()

	q := &swx.MAR{UserName: user, NumberOfAuthVectors: 1, ANID: "WLAN", AuthDataItem: swx.AuthDataItem{Scheme: scheme}}
	for _, c := range change {
		c(q)
	}

	answer, err := diameter.Call[swx.MAA](a.Context(), a.Node, q)
	if err != nil {
		a.Fatal(err)
	}

	return answer
}

func (a *aaa) sar(user string, why cx.ServerAssignmentType, change ...func(*swx.SAR)) *swx.SAA {
	a.Helper()

	q := &swx.SAR{UserName: user, Type: why}
	for _, c := range change {
		c(q)
	}

	answer, err := diameter.Call[swx.SAA](a.Context(), a.Node, q)
	if err != nil {
		a.Fatal(err)
	}

	return answer
}

// soon waits for a request to the AAA server.
func soon[T any](t *testing.T, from chan T) (got T) {
	t.Helper()

	select {
	case got = <-from:
	case <-time.After(30 * time.Second):
		t.Fatal("the AAA server is not told")
	}

	return got
}

// TestVoWiFi: the subscriber of the simplest command is authenticated by EAP-AKA and EAP-AKA', registered, and de-registered at an AAA
// server (TS 29.273 §8.1.2).
func TestVoWiFi(t *testing.T) {
	h := start(t, withAAA(t))
	h.add(attached, "15550001")
	a, sim := connectAAA(t, h, "aaa"), card(t)

	for _, user := range []string{
		attached, "0" + attached + "@nai.epc.mnc001.mcc001.3gppnetwork.org", "6" + attached + "@nai.epc.mnc001.mcc001.3gppnetwork.org",
		attached + "@wlan.mnc001.mcc001.3gppnetwork.org",
	} {
		m := a.mar(user, swx.SchemeEAPAKA)
		want(t, "MAR ("+m.ErrorMessage+")", m.Result, swx.Success)
		want(t, "User-Name", m.UserName, user)
		want(t, "items", len(m.AuthDataItems), 1)

		item := m.AuthDataItems[0]

		result, err := sim.Authenticate([16]byte(item.Authenticate), [16]byte(item.Authenticate[16:]))
		if err != nil {
			t.Fatalf("the SIM refuses the vector: %v", err)
		}

		want(t, "XRES", item.Authorization, result.RES)
		want(t, "CK", item.ConfidentialityKey, result.CK[:])
		want(t, "IK", item.IntegrityKey, result.IK[:])
		want(t, "scheme", item.Scheme, swx.SchemeEAPAKA)
	}

	item := a.mar(attached, swx.SchemeEAPAKAPrime).AuthDataItems[0]

	result, err := sim.Authenticate([16]byte(item.Authenticate), [16]byte(item.Authenticate[16:]))
	if err != nil {
		t.Fatalf("the SIM refuses the vector of EAP-AKA': %v", err)
	}

	want(t, "separation bit (TS 33.402 §6.2)", item.Authenticate[16+6]&0x80, 0x80)
	own := aka.Vector{AUTN: [16]byte(item.Authenticate[16:]), CK: result.CK, IK: result.IK}
	ck, ik := own.Prime("WLAN")
	want(t, "CK'", item.ConfidentialityKey, ck[:])
	want(t, "IK'", item.IntegrityKey, ik[:])
	want(t, "scheme", item.Scheme, swx.SchemeEAPAKAPrime)

	s := a.sar(attached, cx.AssignRegistration)
	want(t, "SAR ("+s.ErrorMessage+")", s.Result, swx.Success)
	want(t, "number", s.UserData.Subscription, []swx.SubscriptionID{{Type: swx.EndUserE164, Data: "15550001"}})
	want(t, "access", []uint32{uint32(*s.UserData.Access), uint32(*s.UserData.APNAccess), *s.UserData.Default}, []uint32{0, 0, 1})

	var apns []string
	for _, apn := range s.UserData.APNs {
		apns = append(apns, apn.Name)
	}
	want(t, "APNs", apns, []string{"internet", "ims"})

	want(t, "user data asked for", len(a.sar(attached, cx.AAAUserDataRequest).UserData.APNs), 2)
	want(t, "de-registration", a.sar(attached, cx.UserDeregistration).Result, swx.Success)
	want(t, "once more", a.sar(attached, cx.UserDeregistration).Result, swx.Success)
	want(t, "user data afterwards", a.sar(attached, cx.AAAUserDataRequest).Result, swx.ErrorIdentityNotRegistered)
}

// TestSWxResults: each refusal of TS 29.273 §8.1.2.1.2 and §8.1.2.2.2, in the order of the checks.
func TestSWxResults(t *testing.T) {
	h := start(t, withAAA(t))
	h.add(attached, "15550001", func(s *provisioning.NewSubscriber) { s.VisitedNetworks = []string{"mnc002.mcc002.3gppnetwork.org"} })
	h.api("POST", "/subscribers", provisioning.NewSubscriber{
		User: "dora", Authentication: provisioning.Authentication{Password: "secret"},
	}, nil)
	h.add("001010000000003", "15550003")
	h.put("001010000000003", func(p *provisioning.PrivateIdentity) { p.EPS = &subscriber.EPS{} })
	a := connectAAA(t, h, "aaa")

	visited := func(network string) func(*swx.MAR) { return func(q *swx.MAR) { q.VisitedNetwork = network } }

	for _, test := range []struct {
		name, user string
		scheme     string // EAP-AKA unless given
		change     func(*swx.MAR)
		want       diameter.Result
	}{
		{name: "nobody", user: "001010000000009", want: swx.ErrorUserUnknown},
		{name: "nobody, also with nonsense", user: "001010000000009", scheme: "EAP-SIM", want: swx.ErrorUserUnknown},
		{name: "no APN", user: "001010000000003", want: swx.ErrorUserNoNon3GPPSubscription},
		{name: "home", change: visited("mnc001.mcc001.3gppnetwork.org"), want: swx.Success},
		{name: "where it may roam", change: visited("mnc002.mcc002.3gppnetwork.org"), want: swx.Success},
		{name: "where it may not", change: visited("mnc003.mcc003.3gppnetwork.org"), want: swx.ErrorRoamingNotAllowed},
		{name: "another scheme", scheme: "EAP-SIM", want: swx.ErrorAuthSchemeNotSupported},
		{
			name: "no network's name", scheme: swx.SchemeEAPAKAPrime, change: func(q *swx.MAR) { q.ANID = "" },
			want: diameter.MissingAVP,
		},
		{name: "no vectors", change: func(q *swx.MAR) { q.NumberOfAuthVectors = 0 }, want: diameter.InvalidAVPValue},
		{
			name: "half an AUTS", change: func(q *swx.MAR) { q.AuthDataItem.Authorization = make([]byte, 20) },
			want: diameter.InvalidAVPValue,
		},
		{
			name: "the AUTS of another SIM", change: func(q *swx.MAR) { q.AuthDataItem.Authorization = make([]byte, 30) },
			want: swx.UnableToComply,
		},
	} {
		m := a.mar(cmp.Or(test.user, attached), cmp.Or(test.scheme, swx.SchemeEAPAKA), func(q *swx.MAR) {
			if test.change != nil {
				test.change(q)
			}
		})
		want(t, test.name+" ("+m.ErrorMessage+")", m.Result, test.want)
	}

	for name, test := range map[string]struct {
		user string
		why  cx.ServerAssignmentType
		want diameter.Result
	}{
		"nobody":                  {"001010000000009", cx.AssignRegistration, swx.ErrorUserUnknown},
		"no APN":                  {"001010000000003", cx.AssignRegistration, swx.ErrorUserNoNon3GPPSubscription},
		"data before it is there": {attached, cx.AAAUserDataRequest, swx.ErrorIdentityNotRegistered},
		"a type of Cx":            {attached, cx.UnregisteredUser, swx.UnableToComply},
		"a gateway before that":   {attached, cx.PGWUpdate, swx.ErrorIdentityNotRegistered},
		"a restoration of nobody": {"001010000000009", cx.Restoration, swx.ErrorUserUnknown},
	} {
		s := a.sar(test.user, test.why)
		want(t, name+" ("+s.ErrorMessage+")", s.Result, test.want)
	}

	s := a.sar(attached, cx.AssignRegistration, func(q *swx.SAR) { q.VisitedNetwork = "mnc003.mcc003.3gppnetwork.org" })
	want(t, "where it may not roam", s.Result, swx.ErrorRoamingNotAllowed)
}

// TestResynchronisationByWiFi: a SIM that was used with another HSS resynchronises, and accepts the next vector.
func TestResynchronisationByWiFi(t *testing.T) {
	h := start(t, withAAA(t))
	h.add(attached, "15550001")
	a, sim := connectAAA(t, h, "aaa"), card(t)
	other := aka.NewMilenage([16]byte(octets(t, k)), [16]byte(octets(t, opc)))

	for ind := range uint64(32) {
		v := aka.Generate(other, [16]byte{1}, aka.SQN(1<<30|ind), [2]byte{})
		if _, err := sim.Authenticate(v.RAND, v.AUTN); err != nil {
			t.Fatal(err)
		}
	}

	item := a.mar(attached, swx.SchemeEAPAKA).AuthDataItems[0]
	_, err := sim.Authenticate([16]byte(item.Authenticate), [16]byte(item.Authenticate[16:]))

	var failure *aka.SyncFailure
	if !errors.As(err, &failure) {
		t.Fatalf("the SIM says %v", err)
	}

	item = a.mar(attached, swx.SchemeEAPAKA, func(q *swx.MAR) {
		q.AuthDataItem.Authorization = append(item.Authenticate[:16:16], failure.AUTS[:]...)
	}).AuthDataItems[0]
	if _, err := sim.Authenticate([16]byte(item.Authenticate), [16]byte(item.Authenticate[16:])); err != nil {
		t.Errorf("after the resynchronisation: %v", err)
	}
}

// TestAAAServersAreTold: an AAA server is informed when another one has taken over its user, or when the user is changed or withdrawn (TS
// 29.273 §8.1.2.3).
func TestAAAServersAreTold(t *testing.T) {
	h := start(t, withAAA(t))
	h.add(attached, "15550001")
	first, second := connectAAA(t, h, "aaa"), connectAAA(t, h, "aaa2")

	first.sar(attached, cx.AssignRegistration)
	first.sar(attached, cx.AssignRegistration)
	second.sar(attached, cx.AssignRegistration)

	rtr := soon(t, first.rtr)
	want(t, "RTR", []any{rtr.UserName, rtr.Reason.Code}, []any{attached, cx.NewServerAssigned})
	want(t, "the end at the one that it has left", first.sar(attached, cx.UserDeregistration).Result, swx.UnableToComply)

	h.put(attached, func(p *provisioning.PrivateIdentity) { p.MSISDN = "15550009" })

	ppr := soon(t, second.ppr)
	want(t, "PPR", []any{ppr.UserName, ppr.UserData.Subscription[0].Data}, []any{attached, "15550009"})

	h.api("DELETE", "/subscribers/"+attached, nil, nil)

	rtr = soon(t, second.rtr)
	want(t, "RTR", []any{rtr.UserName, rtr.Reason.Code}, []any{attached, cx.PermanentTermination})

	for _, p := range h.queued() {
		if !strings.Contains(string(p.Command), "SWx") {
			t.Errorf("%+v", p)
		}
	}
}

// TestThreeUsesAtOnce: 1,000 AIRs, 1,000 MARs and 1,000 MARs of SWx of one SIM, of which ten of each are on their way at a time. No number
// is given out twice, each has the IND of its use, and the SIM accepts them in the order of each use: it never asks for a resynchronisation
// (TS 33.102 annex C.1.1.1).
func TestThreeUsesAtOnce(t *testing.T) {
	const rounds, atOnce = 100, 10

	h := start(t, withAAA(t))
	private := h.add(attached, "15550001")
	m, scscf, a, sim := connectMME(t, h, "mme"), connect(t, h, "scscf"), connectAAA(t, h, "aaa"), card(t)
	algorithm := aka.NewMilenage([16]byte(octets(t, k)), [16]byte(octets(t, opc)))

	type vector struct{ random, autn [16]byte }

	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		seen = map[uint64]bool{} // SQN
	)

	sqn := func(v vector) uint64 {
		_, _, _, ak := algorithm.F2345(v.random)

		var shown [6]byte
		for i := range shown {
			shown[i] = v.autn[i] ^ ak[i]
		}

		return uint64(aka.SQNFromBytes(shown))
	}

	// uses makes a node fetch vectors and pass them to the SIM in their order.
	uses := func(who string, ind uint64, fetch func() vector) {
		all.Go(func() {
			for range rounds {
				var (
					several sync.WaitGroup
					vectors [atOnce]vector
				)

				for i := range vectors {
					several.Go(func() { vectors[i] = fetch() })
				}

				several.Wait()
				slices.SortFunc(vectors[:], func(a, b vector) int { return cmp.Compare(sqn(a), sqn(b)) })

				mu.Lock()
				for _, v := range vectors {
					number := sqn(v)
					if seen[number] || number&31 != ind {
						t.Errorf("the %s has number %012x, with IND %d; given out before: %v", who, number, number&31, seen[number])
					}

					seen[number] = true

					if _, err := sim.Authenticate(v.random, v.autn); err != nil {
						t.Errorf("the SIM refuses a vector of the %s: %v", who, err)
					}
				}
				mu.Unlock()
			}
		})
	}

	uses("MME", 9, func() vector {
		v := m.air(attached).Authentication.EUTRAN[0]
		return vector{[16]byte(v.RAND), [16]byte(v.AUTN)}
	})
	uses("S-CSCF", 1, func() vector {
		v := scscf.mar(private, "sip:"+private, scscfURI).AuthDataItems[0]
		return vector{[16]byte(v.Authenticate), [16]byte(v.Authenticate[16:])}
	})
	uses("AAA server", 17, func() vector {
		v := a.mar(attached, swx.SchemeEAPAKAPrime).AuthDataItems[0]
		return vector{[16]byte(v.Authenticate), [16]byte(v.Authenticate[16:])}
	})
	all.Wait()

	want(t, "different numbers", len(seen), 3*rounds*atOnce)
}
