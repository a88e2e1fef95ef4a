package app

import (
	"net/url"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// The attempts of a handset can be read, step by step and in words.
func TestAttempts(t *testing.T) {
	h := start(t, settings(t))
	private := h.add("001010000000001", "15550001")
	p := connect(t, h, "scscf")
	public := "sip:001010000000001@" + home

	tried := func(of, says, steps string) {
		t.Helper()

		var list provisioning.AttemptList
		h.api("GET", "/attempts?"+url.Values{"private_identity": {of}}.Encode(), nil, &list)

		if steps == "" {
			want(t, "attempts of "+of, len(list.Attempts), 0)
			return
		}

		if len(list.Attempts) != 1 || list.Since.IsZero() {
			t.Fatalf("%+v", list)
		}

		a := list.Attempts[0]

		var got []string
		for _, s := range a.Steps {
			got = append(got, string(s.Kind)+" "+s.Result)
		}

		want(t, "steps of "+of, strings.Join(got, ", "), steps)

		if !strings.Contains(a.Says, says) {
			t.Errorf("of %s it says %q, want %q", of, a.Says, says)
		}
	}

	tried(private, "", "")

	p.uar(private, public)
	tried(private, "no S-CSCF has asked", "UAR 2001x")

	p.mar(private, public, scscfURI)
	tried(private, "challenged 0 s ago, no answer yet", "UAR 2001x, MAR 2001")

	p.uar(private, public)
	p.sar(cx.AuthenticationFailure, private, scscfURI, public)
	tried(private, "its answer to the challenge was wrong", "UAR 2001x, MAR 2001, UAR 2002x, SAR AUTHENTICATION_FAILURE 2001")

	p.mar(private, public, scscfURI, func(q *cx.MAR) { q.AuthDataItem.Authorization = make([]byte, 30) })
	tried(private, "resynchronisation from "+scscfURI, "UAR 2001x, MAR 2001, UAR 2002x, SAR AUTHENTICATION_FAILURE 2001, MAR with AUTS 5012")

	p.register(private, public)
	p.lir(public)
	p.sar(cx.NoAssignment, private, scscfURI, public) // not what a handset tries
	tried(
		private,
		"registered",
		"UAR 2001x, MAR 2001, UAR 2002x, SAR AUTHENTICATION_FAILURE 2001, MAR with AUTS 5012, MAR 2001, SAR REGISTRATION 2001",
	)

	p.sar(cx.UserDeregistration, "", scscfURI, public) // by its public identity alone
	tried(
		private,
		"it has left",
		"UAR 2001x, MAR 2001, UAR 2002x, SAR AUTHENTICATION_FAILURE 2001, MAR with AUTS 5012, MAR 2001, SAR REGISTRATION 2001, SAR "+
			"USER_DEREGISTRATION 2001",
	)

	const stranger = "999700000000001@ims.mnc070.mcc999.3gppnetwork.org"
	p.uar(stranger, "sip:"+stranger)
	tried(stranger, "no private identity "+stranger, "UAR 5001x")

	// By any identity, in any form.
	for _, text := range []string{
		"001010000000001", private, "imsi:001010000000001", public, "15550001", "+15550001", "tel:+1-555-0001", "sip:+15550001@" + home,
		"999700000000001", stranger, "sip:" + stranger,
	} {
		var list provisioning.AttemptList
		h.api("GET", "/attempts?"+url.Values{"identity": {text}}.Encode(), nil, &list)

		if len(list.Attempts) != 1 || list.Others != 1 {
			t.Errorf("of %s: %+v", text, list)
		}
	}

	for _, text := range []string{"001010000000009", "15550009", "dora", "tel:+15550009"} {
		var list provisioning.AttemptList
		h.api("GET", "/attempts?"+url.Values{"identity": {text}}.Encode(), nil, &list)

		if len(list.Attempts) != 0 || list.Others != 2 || list.Known != nil {
			t.Errorf("of %s: %+v", text, list)
		}
	}
}

// The advice to a user with a password is about the password, and to a phone that omits the domain in its user name about that.
func TestAttemptsOfASoftPhone(t *testing.T) {
	h := start(t, settings(t))
	h.api(
		"POST",
		"/subscribers",
		provisioning.NewSubscriber{User: "bob", Authentication: provisioning.Authentication{Password: "secret"}},
		nil,
	)
	private, public := "bob@"+home, "sip:bob@"+home
	scscf := connect(t, h, "scscf")

	says := func(of string) string {
		t.Helper()
		var list provisioning.AttemptList
		h.api("GET", "/attempts?private_identity="+of, nil, &list)
		if len(list.Attempts) != 1 {
			t.Fatalf("%d attempts of %s", len(list.Attempts), of)
		}
		return list.Attempts[0].Says
	}

	scscf.mar(private, public, scscfURI, func(q *cx.MAR) { q.AuthDataItem.Scheme = cx.SchemeSIPDigest })
	scscf.sar(cx.AuthenticationFailure, private, scscfURI, public)
	if got := says(private); !strings.Contains(got, "the password here is not the phone's") || strings.Contains(got, "SIM") {
		t.Errorf("after a wrong answer: %s", got)
	}

	scscf.uar("bob", public)
	if got := says("bob"); !strings.Contains(got, "the private identity is "+private) {
		t.Errorf("without a domain: %s", got)
	}
	scscf.uar("bob@example.org", "sip:bob@example.org")
	if got := says("bob@example.org"); !strings.Contains(got, "its domain is wrong: the private identity is "+private) {
		t.Errorf("with a wrong domain: %s", got)
	}

	var list provisioning.AttemptList // by the user alone, those of all domains
	h.api("GET", "/attempts?identity=bob", nil, &list)
	if len(list.Attempts) != 3 {
		t.Errorf("of bob: %+v", list)
	}

	h.api("GET", "/attempts?identity="+url.QueryEscape(private), nil, &list)
	if len(list.Attempts) == 3 {
		t.Errorf("of %s: %+v", private, list)
	}

	scscf.uar("carol", public)
	if got := says("carol"); !strings.Contains(got, "it has not been added") {
		t.Errorf("of nobody: %s", got)
	}
}
