package gm

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/dialtone-ims/dialtone/pkg/ims/access"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

const (
	stated   = "3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=0010100010000001"
	reported = `3GPP-E-UTRAN;utran-cell-id-3gpp=0010100010000101;network-provided`
)

// What the access network says of a handset goes to the core with what the handset sends, beside the handset's own word (TS 24.229
// §7.2A.4), for as long as the session is open in which it was reported; nothing of it comes from the handset, or goes to one.
func TestProvided(t *testing.T) {
	at, err := access.At(access.EUTRAN, access.PLMN{MCC: "001", MNC: "01"}, "0001", "0000101")
	if err != nil {
		t.Fatal(err)
	}

	said := "P-Access-Network-Info: " + stated + ", 3GPP-NR;utran-cell-id-3gpp=forged;Network-Provided"

	for name, test := range map[string]struct {
		location bool
		report   access.Info
		want     []string
	}{
		"reported":          {true, at, []string{stated, reported}},
		"not reported":      {true, access.Info{}, []string{stated}},
		"not to be told":    {false, at, []string{stated}},
		"the access alone":  {true, access.Info{Class: access.WLAN}, []string{stated, "3GPP-WLAN;network-provided"}},
		"not known anymore": {true, access.Info{}, []string{stated}},
	} {
		t.Run(name, func(t *testing.T) {
			withBearersBy(
				t,
				BearerConfig{Policy: BestEffort, Signalling: true, Location: test.location},
				func(t *testing.T, d *desk, a *accessNetwork) {
					has := func(what string, m sip.Message, want []string) {
						t.Helper()

						if got := sip.Values(m, "P-Access-Network-Info"); !slices.Equal(got, want) {
							t.Errorf("%s has %q, want %q", what, got, want)
						}
					}

					if name == "not known anymore" {
						a.sessions.Located("s1", at, nil)
					}
					if !a.sessions.Located("s1", test.report, nil) {
						t.Error("there is no session s1")
					}

					d.send("MESSAGE", bob, said)
					r := d.scscf.Request("MESSAGE")
					has("MESSAGE", r, test.want)
					d.scscf.Answer(r, 200)

					if text := d.alice.Response(200).String(); strings.Contains(text, "Access-Network") {
						t.Errorf("the handset gets\n%s", text)
					}

					callID, routes := d.call()
					d.within("BYE", callID, append(routes, said)...)
					r = d.scscf.Request("BYE")
					has("BYE", r, test.want)
					d.scscf.Answer(r, 200)
					d.alice.Response(200)

					d.toAlice("MESSAGE")
					r = d.alice.Request("MESSAGE")
					d.alice.Answer(r, 200, said)
					has("200", d.scscf.Response(200), test.want)

					d.send("REGISTER", "sip:ims.example", "To: <"+alice+">", "Call-ID: call-1", said,
						`Authorization: Digest username="alice@ims.example",realm="ims.example",nonce="",uri="sip:ims.example",response=""`)
					r = d.icscf.Request("REGISTER")
					has("REGISTER", r, test.want)
					d.icscf.Answer(r, 403)
					d.alice.Response(403)

					a.sessions.Abort("s1", "BEARER_RELEASED")
					synctest.Wait()
					d.send("MESSAGE", bob, said)
					r = d.scscf.Request("MESSAGE")
					has("MESSAGE when the session is over", r, []string{stated})
					d.scscf.Answer(r, 200)
				},
			)
		})
	}
}

// By what a handset states about its access, a PCRF or a PCF is asked: a caller states it in the INVITE, a callee in its answer.
func TestAccessStated(t *testing.T) {
	const nr = "3GPP-NR-TDD;utran-cell-id-3gpp=0010100000100000001F"

	for name, test := range map[string]struct {
		call func(d *desk)
		want string
	}{
		"a caller": {func(d *desk) {
			invite := d.invite(sdp, "P-Access-Network-Info: "+nr, "\n"+own)
			describe(d.scscf, invite, 183, hers, bobs(invite, "b")...)
			d.alice.Response(183)
		}, nr},
		"a callee": {func(d *desk) {
			d.toAlice("INVITE", sdp, "P-Access-Network-Info: 3GPP-E-UTRAN-FDD", "\n"+hers)
			invite := d.alice.Request("INVITE")
			describe(d.alice, invite, 183, own, "To: <"+alice+">;tag=a", "Contact: <sip:alice@"+aliceAt+">", "P-Access-Network-Info: "+nr)
			d.scscf.Response(183)
		}, nr},
		"a callee on several": {func(d *desk) {
			d.toAlice("INVITE", sdp, "\n"+hers)
			invite := d.alice.Request("INVITE")
			describe(d.alice, invite, 183, own, "To: <"+alice+">;tag=a", "Contact: <sip:alice@"+aliceAt+">",
				"P-Access-Network-Info: IEEE-802.11, "+nr)
			d.scscf.Response(183)
		}, "IEEE-802.11, " + nr},
	} {
		t.Run(name, func(t *testing.T) {
			withBearers(t, false, func(t *testing.T, d *desk, a *accessNetwork) {
				test.call(d)
				synctest.Wait()

				if len(a.asked) != 1 || a.asked[0].Leg.Access != test.want {
					t.Errorf("%+v", a.asked)
				}
			})
		})
	}
}
