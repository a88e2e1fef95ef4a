package app

import (
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
)

func TestLocationInfo(t *testing.T) {
	next := situations(t)
	zero, one, nine := uint32(0), uint32(1), cx.UserAuthorizationType(9)
	both := cx.RegistrationAndCapabilities
	capabilities := &cx.Capabilities{Mandatory: []uint32{7}, Optional: []uint32{8, 9}}

	unregisteredServices := func(s *situation) {
		terminatingUnregistered := ifc.TerminatingUnregistered
		s.api("PUT", "/service-profiles/voicemail", provisioning.ServiceProfile{FilterCriteria: []ifc.InitialFilterCriterion{{
			ApplicationServer: ifc.ApplicationServer{ServerName: "sip:voicemail.as"},
			TriggerPoint: &ifc.TriggerPoint{
				SPTs: []ifc.SPT{{Groups: []int{0}, SessionCase: &terminatingUnregistered}},
			},
		}}}, nil)
		s.change(func(d *provisioning.Subscriber) {
			d.RegistrationSets[0].PublicIdentities[0].ServiceProfile = "voicemail"
		})
	}
	identity := func(p provisioning.PublicIdentity) func(*situation) {
		return func(s *situation) {
			p := provisioning.PlacedIdentity{RegistrationSet: 2, PublicIdentity: p}
			p.Identity = "sip:" + s.name + p.Identity
			s.api("PUT", "/subscribers/"+s.name+"/public-identities/"+p.Identity, p, nil)
		}
	}
	ask := func(suffix string) func(*situation, *cx.LIR) {
		return func(s *situation, q *cx.LIR) { q.PublicIdentity = "sip:" + s.name + suffix }
	}

	tests := []struct {
		name     string
		before   func(*situation)
		change   func(*situation, *cx.LIR)
		want     diameter.Result
		server   string
		caps     *cx.Capabilities
		wildcard string
	}{
		{name: "step 1: unknown", change: func(_ *situation, q *cx.LIR) { q.PublicIdentity = "tel:+1" }, want: cx.ErrorUserUnknown},
		{
			name:   "step 2: a service with an application server of its own",
			before: identity(provisioning.PublicIdentity{Identity: "-conference@" + home, Kind: "service", ApplicationServer: "sip:conference.as"}),
			change: ask("-conference@" + home),
			want:   cx.Success,
			server: "sip:conference.as",
		},
		{
			name:     "step 2: a wildcarded service",
			before:   identity(provisioning.PublicIdentity{Identity: "-chat-!.*!@" + home, Kind: "service", ApplicationServer: "sip:chat.as"}),
			change:   ask("-chat-42@" + home),
			want:     cx.Success,
			server:   "sip:chat.as",
			wildcard: "-chat-!.*!@" + home,
		},
		{
			name:   "step 3: capabilities wanted although registered",
			before: (*situation).registered,
			change: func(_ *situation, q *cx.LIR) { q.Type = &both },
			want:   cx.Success,
			caps:   capabilities,
		},
		{name: "step 4: registered", before: (*situation).registered, want: cx.Success, server: scscfURI},
		{name: "step 4: unregistered, the S-CSCF keeps the profile", before: (*situation).unregistered, want: cx.Success, server: scscfURI},
		{name: "step 4: not registered, no services", want: cx.ErrorIdentityNotRegistered},
		{name: "step 4: not registered, voicemail", before: unregisteredServices, want: cx.UnregisteredService, caps: capabilities},
		{
			name:   "step 4: not registered, a session from an AS",
			change: func(_ *situation, q *cx.LIR) { q.OriginatingRequest = &zero },
			want:   cx.UnregisteredService,
			caps:   capabilities,
		},
		{
			name:   "step 4: not registered, voicemail, the S-CSCF is authenticating",
			before: func(s *situation) { unregisteredServices(s); s.scscf.mar(s.private, s.public, scscfURI) }, want: cx.Success, server: scscfURI,
		},
		{
			name:   "step 4: a service without an application server of its own",
			before: identity(provisioning.PublicIdentity{Identity: "-service@" + home, Kind: "service"}),
			change: ask("-service@" + home),
			want:   cx.UnregisteredService,
			caps:   capabilities,
		},
		{
			name:   "no such Originating-Request",
			change: func(_ *situation, q *cx.LIR) { q.OriginatingRequest = &one },
			want:   diameter.InvalidAVPValue,
		},
		{name: "no such User-Authorization-Type", change: func(_ *situation, q *cx.LIR) { q.Type = &nine }, want: diameter.InvalidAVPValue},
	}

	for _, test := range tests {
		t.Run("6.1.4.1 "+test.name, func(t *testing.T) {
			s := next(t)
			if test.before != nil {
				test.before(s)
			}

			q := &cx.LIR{PublicIdentity: s.public}
			if test.change != nil {
				test.change(s, q)
			}
			if test.wildcard != "" {
				test.wildcard = "sip:" + s.name + test.wildcard
			}

			a := call[cx.LIA](s.scscf, q)
			want(t, "result ("+a.ErrorMessage+")", a.Result, test.want)
			want(t, "Server-Name", a.ServerName, test.server)
			want(t, "Server-Capabilities", show(a.Capabilities), show(test.caps))
			want(t, "Wildcarded-Public-Identity", a.WildcardedPublicIdentity, test.wildcard)
		})
	}
}
