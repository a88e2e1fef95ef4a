package app

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

const otherURI = "sip:other." + home + ":5060"

func TestMultimediaAuth(t *testing.T) {
	next := situations(t)
	password := func(s *situation) {
		s.api("PUT", "/subscribers/"+s.name+"/private-identities/"+s.private+"/keys", provisioning.Authentication{Password: "secret"}, nil)
	}
	scheme := func(name string) func(*cx.MAR) { return func(q *cx.MAR) { q.AuthDataItem.Scheme = name } }
	resynchronise := func(octets int) func(*cx.MAR) {
		return func(q *cx.MAR) { q.AuthDataItem.Authorization = make([]byte, octets) }
	}

	tests := []struct {
		name   string
		before func(*situation)
		change func(*cx.MAR)
		want   diameter.Result
		scheme string
		items  int
	}{
		{name: "6.3.1 step 1: private identity unknown", change: func(q *cx.MAR) { q.UserName = "nobody@" + home }, want: cx.ErrorUserUnknown},
		{name: "6.3.1 step 1: public identity unknown", change: func(q *cx.MAR) { q.PublicIdentity = "tel:+1" }, want: cx.ErrorUserUnknown},
		{
			name:   "6.3.1 step 2: another subscriber's identity",
			change: func(q *cx.MAR) { q.PublicIdentity = "tel:+15550001" },
			want:   cx.ErrorIdentitiesDontMatch,
		},
		{name: "6.3.1 step 3: Digest-AKAv1-MD5", want: cx.Success, scheme: cx.SchemeDigestAKAv1MD5, items: 1},
		{name: "6.3.1 step 3: Unknown, a SIM", change: scheme(cx.SchemeUnknown), want: cx.Success, scheme: cx.SchemeDigestAKAv1MD5, items: 1},
		{
			name:   "6.3.1 step 3: Unknown, a password",
			before: password,
			change: scheme(cx.SchemeUnknown),
			want:   cx.Success,
			scheme: cx.SchemeSIPDigest,
			items:  1,
		},
		{
			name:   "6.3.1 step 3: SIP Digest, a password",
			before: password,
			change: scheme(cx.SchemeSIPDigest),
			want:   cx.Success,
			scheme: cx.SchemeSIPDigest,
			items:  1,
		},
		{
			name:   "6.3.1 step 3: Digest-AKAv2-MD5",
			change: scheme(cx.SchemeDigestAKAv2MD5),
			want:   cx.Success,
			scheme: cx.SchemeDigestAKAv2MD5,
			items:  1,
		},
		{
			name:   "6.3.1 step 3: Digest-AKAv2-SHA-256",
			change: scheme(cx.SchemeDigestAKAv2SHA256),
			want:   cx.Success,
			scheme: cx.SchemeDigestAKAv2SHA256,
			items:  1,
		},
		{
			name:   "6.3.1 step 3: Digest-AKAv2-SHA-256, a password",
			before: password,
			change: scheme(cx.SchemeDigestAKAv2SHA256),
			want:   cx.ErrorAuthSchemeNotSupported,
		},
		{name: "6.3.1 step 3: SIP Digest, a SIM", change: scheme(cx.SchemeSIPDigest), want: cx.ErrorAuthSchemeNotSupported},
		{name: "6.3.1 step 3: Digest-AKAv1-MD5, a password", before: password, want: cx.ErrorAuthSchemeNotSupported},
		{name: "6.3.1 step 3: a scheme nobody has", change: scheme("Early-IMS-Security"), want: cx.ErrorAuthSchemeNotSupported},
		{name: "6.3.1 step 4: resynchronisation without an S-CSCF", change: resynchronise(30), want: cx.UnableToComply},
		{
			name: "6.3.1 step 4: resynchronisation from another S-CSCF", before: (*situation).registered,
			change: func(q *cx.MAR) { resynchronise(30)(q); q.ServerName = otherURI }, want: cx.UnableToComply,
		},
		{name: "6.3.1 step 4: AUTS of another SIM", before: (*situation).registered, change: resynchronise(30), want: cx.UnableToComply},
		{name: "6.3.1 step 4: half an AUTS", before: (*situation).registered, change: resynchronise(16), want: diameter.InvalidAVPValue},
		{
			name:   "several vectors",
			change: func(q *cx.MAR) { q.NumberOfAuthVectors = 4 },
			want:   cx.Success,
			scheme: cx.SchemeDigestAKAv1MD5,
			items:  4,
		},
		{
			name:   "more vectors than are given out",
			change: func(q *cx.MAR) { q.NumberOfAuthVectors = 1 << 31 },
			want:   cx.Success,
			scheme: cx.SchemeDigestAKAv1MD5,
			items:  5,
		},
		{name: "no vectors", change: func(q *cx.MAR) { q.NumberOfAuthVectors = 0 }, want: diameter.InvalidAVPValue},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := next(t)
			if test.before != nil {
				test.before(s)
			}

			a := s.scscf.mar(s.private, s.public, scscfURI, func(q *cx.MAR) {
				if test.change != nil {
					test.change(q)
				}
			})
			want(t, "result ("+a.ErrorMessage+")", a.Result, test.want)
			want(t, "SIP-Number-Auth-Items", a.NumberOfAuthVectors, test.items)
			want(t, "items", len(a.AuthDataItems), test.items)
			for _, item := range a.AuthDataItems {
				want(t, "scheme", item.Scheme, test.scheme)
				if test.scheme == cx.SchemeSIPDigest {
					want(t, "digest", *item.Digest, cx.DigestAuthenticate{Realm: home, Algorithm: "MD5", QoP: "auth", HA1: item.Digest.HA1})
					want(t, "length of H(A1)", len(item.Digest.HA1), 32)
				}
			}
		})
	}
}

func TestResynchronisation(t *testing.T) {
	h := start(t, settings(t))
	private := h.add("001010000000001", "15550001")
	public, scscf, sim := "sip:"+private, connect(t, h, "scscf"), card(t)

	sim.SetSQN(5000 << 5) // a SIM that was in another core before

	item := scscf.mar(private, public, scscfURI).AuthDataItems[0]
	_, err := sim.Authenticate([16]byte(item.Authenticate[:16]), [16]byte(item.Authenticate[16:]))

	var failure *aka.SyncFailure
	if !errors.As(err, &failure) {
		t.Fatalf("the SIM says %v, want a synchronisation failure", err)
	}

	auts := slices.Concat(item.Authenticate[:16], failure.AUTS[:])
	answer := scscf.mar(private, public, scscfURI, func(q *cx.MAR) { q.AuthDataItem.Authorization = auts })
	want(t, "MAR with AUTS", answer.Result, cx.Success)

	item = answer.AuthDataItems[0]
	result, err := sim.Authenticate([16]byte(item.Authenticate[:16]), [16]byte(item.Authenticate[16:]))
	if err != nil || !bytes.Equal(result.RES, item.Authorization) {
		t.Fatalf("the SIM refuses the vector after resynchronisation: %v", err)
	}

	again := scscf.mar(private, public, scscfURI, func(q *cx.MAR) { q.AuthDataItem.Authorization = auts })
	want(t, "the same AUTS again", again.Result, cx.Success)
	item = again.AuthDataItems[0]
	if _, err := sim.Authenticate([16]byte(item.Authenticate[:16]), [16]byte(item.Authenticate[16:])); err != nil {
		t.Errorf("an old AUTS set the sequence number back: %v", err)
	}

	for _, line := range []string{
		"SQN stepped to the SIM's",
		"sqn=000000000021 sqn_of_sim=000000027100",
		"the SIM will accept the next SQN as it is",
	} {
		if !strings.Contains(h.log.String(), line) {
			t.Errorf("the log does not say %q", line)
		}
	}

	wrong := slices.Clone(auts)
	wrong[29] ^= 1
	refused := scscf.mar(private, public, scscfURI, func(q *cx.MAR) { q.AuthDataItem.Authorization = wrong })
	want(t, "AUTS with a wrong MAC-S", refused.Result, cx.UnableToComply)
	if !strings.Contains(refused.ErrorMessage, "K or OPc in the HSS differs from the SIM") {
		t.Errorf("Error-Message %q", refused.ErrorMessage)
	}
}

func TestConcurrentAuthenticationsGetDifferentVectors(t *testing.T) {
	h := start(t, settings(t))
	private := h.add("001010000000001", "15550001")
	scscf := connect(t, h, "scscf")

	var (
		mu   sync.Mutex
		seen = map[aka.SQN]bool{}
		all  sync.WaitGroup
	)

	key, variant := octets(t, k), octets(t, opc)
	algorithm := aka.NewMilenage([16]byte(key), [16]byte(variant))

	for range 20 {
		all.Go(func() {
			for _, item := range scscf.mar(private, "sip:"+private, scscfURI, func(q *cx.MAR) { q.NumberOfAuthVectors = 2 }).AuthDataItems {
				_, _, _, ak := algorithm.F2345([16]byte(item.Authenticate[:16]))
				var sqn [6]byte
				for i := range sqn {
					sqn[i] = item.Authenticate[16+i] ^ ak[i]
				}
				mu.Lock()
				seen[aka.SQNFromBytes(sqn)] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()

	want(t, "different sequence numbers", len(seen), 40)
}

func TestAnotherSCSCFTakesOver(t *testing.T) {
	h := start(t, settings(t))
	private := h.add("001010000000001", "15550001")
	public := "sip:" + private
	old, other := connect(t, h, "scscf"), connect(t, h, "other")

	old.register(private, public)
	want(t, "MAR from another S-CSCF", other.mar(private, public, otherURI).Result, cx.Success)
	want(t, "8.1: the name is overwritten", other.uar(private, public).ServerName, otherURI)
	want(
		t,
		"8.1: the old S-CSCF may not overwrite it",
		old.sar(cx.ReRegistration, private, scscfURI, public).Result,
		cx.ErrorIdentityAlreadyRegistered,
	)
	want(t, "nor end it", old.sar(cx.TimeoutDeregistration, private, scscfURI, public).Result, cx.UnableToComply)
	if len(old.received) != 0 {
		t.Error("the old S-CSCF was told before the new one had authenticated the user")
	}

	want(t, "SAR from the new S-CSCF", other.sar(cx.AssignRegistration, private, otherURI, public).Result, cx.Success)
	old.pushed(1)
	want(t, "8.1.1: reason", old.rtr[0].Reason.Code, cx.NewServerAssigned)
	want(t, "8.1.1: public identities", len(old.rtr[0].PublicIdentities), 3)
	want(t, "8.1.1: user", old.rtr[0].UserName, private)
	if len(other.received) != 0 {
		t.Error("the new S-CSCF was told to end the registration")
	}
}

// Two S-CSCF names behind one Diameter identity: there is nobody else to inform (TS 29.228 §8.1.1).
func TestTheSameNodeTakesOverFromItself(t *testing.T) {
	h := start(t, settings(t))
	private := h.add("001010000000001", "15550001")
	public, scscf := "sip:"+private, connect(t, h, "scscf")

	scscf.register(private, public)
	want(t, "MAR under another name", scscf.mar(private, public, otherURI).Result, cx.Success)
	want(t, "SAR under another name", scscf.sar(cx.AssignRegistration, private, otherURI, public).Result, cx.Success)

	var list provisioning.PushList
	h.api("GET", "/pushes", nil, &list)
	want(t, "RTR", len(list.Pushes), 0)
}
