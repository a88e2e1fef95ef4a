package app

import (
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// Answers as parsed by the sender of a wrong request.
type (
	failedMAA struct {
		cx.MAA
		Failed *cx.FailedAVP `avp:"Failed-AVP"`
	}
	failedSAA struct {
		cx.SAA
		Failed *cx.FailedAVP `avp:"Failed-AVP"`
	}
	failedLIA struct {
		cx.LIA
		Failed *cx.FailedAVP `avp:"Failed-AVP"`
	}
)

// RFC 6733 §7.5: an answer has the offending AVP, an example if it is missing, and its group if it is in one.
func TestFailedAVP(t *testing.T) {
	h := start(t, settings(t))
	private := h.add("001010000000001", "15550001")
	public := "tel:+15550001"
	scscf := connect(t, h, "scscf")

	mar := func(change func(*cx.MAR)) (diameter.Result, *cx.FailedAVP) {
		q := &cx.MAR{
			UserName: private, PublicIdentity: public, NumberOfAuthVectors: 1, ServerName: scscfURI,
			AuthDataItem: cx.AuthDataItem{Scheme: cx.SchemeDigestAKAv1MD5},
		}
		change(q)
		a := call[failedMAA](scscf, q)

		return a.Result, a.Failed
	}
	sar := func(kind cx.ServerAssignmentType, user string, publics ...string) (diameter.Result, *cx.FailedAVP) {
		a := call[failedSAA](scscf, &cx.SAR{Type: kind, UserName: user, PublicIdentities: publics, ServerName: scscfURI})
		return a.Result, a.Failed
	}
	lir := func(originating uint32) (diameter.Result, *cx.FailedAVP) {
		a := call[failedLIA](scscf, &cx.LIR{PublicIdentity: public, OriginatingRequest: &originating})
		return a.Result, a.Failed
	}

	for _, test := range []struct {
		name string
		ask  func() (diameter.Result, *cx.FailedAVP)
		want string
	}{
		{"a MAR for no vectors", func() (diameter.Result, *cx.FailedAVP) {
			return mar(func(q *cx.MAR) { q.NumberOfAuthVectors = 0 })
		}, "5004 SIP-Number-Auth-Items 0"},
		{"a MAR with AUTS of the wrong length", func() (diameter.Result, *cx.FailedAVP) {
			return mar(func(q *cx.MAR) { q.AuthDataItem.Authorization = []byte{0xab, 0xcd} })
		}, "5004 SIP-Auth-Data-Item {SIP-Authorization abcd}"},
		{"a SAR without User-Name", func() (diameter.Result, *cx.FailedAVP) {
			return sar(cx.AssignRegistration, "", public)
		}, `5005 User-Name ""`},
		{"a SAR without Public-Identity", func() (diameter.Result, *cx.FailedAVP) {
			return sar(cx.AssignRegistration, private)
		}, `5005 Public-Identity ""`},
		{"a SAR with two identities", func() (diameter.Result, *cx.FailedAVP) {
			return sar(cx.AssignRegistration, private, public, "sip:+15550001@"+home)
		}, `5009 Public-Identity "sip:+15550001@` + home + `"`},
		{"a LIR that is not originating", func() (diameter.Result, *cx.FailedAVP) { return lir(7) }, "5004 Originating-Request 7"},
		{"a MAR without a fault", func() (diameter.Result, *cx.FailedAVP) { return mar(func(*cx.MAR) {}) }, "2001"},
	} {
		t.Run(test.name, func(t *testing.T) {
			result, failed := test.ask()
			if got := fmt.Sprint(result.Code) + text(failed); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func text(f *cx.FailedAVP) (s string) {
	if f == nil {
		return ""
	}

	if f.UserName != nil {
		s += fmt.Sprintf(" User-Name %q", *f.UserName)
	}
	if f.PublicIdentity != nil {
		s += fmt.Sprintf(" Public-Identity %q", *f.PublicIdentity)
	}
	if f.NumberOfAuthVectors != nil {
		s += fmt.Sprintf(" SIP-Number-Auth-Items %d", *f.NumberOfAuthVectors)
	}
	if f.AuthDataItem != nil {
		s += " SIP-Auth-Data-Item {SIP-Authorization " + hex.EncodeToString(f.AuthDataItem.Authorization) + "}"
	}
	if f.OriginatingRequest != nil {
		s += fmt.Sprintf(" Originating-Request %d", *f.OriginatingRequest)
	}

	return s
}
