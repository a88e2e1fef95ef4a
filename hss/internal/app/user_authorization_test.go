package app

import (
	"fmt"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// situation is a subscriber of its own for each row of a table.
type situation struct {
	*hss
	scscf           *peer
	name            string
	private, public string
}

func (s *situation) change(f func(*provisioning.Subscriber)) {
	s.Helper()

	var document provisioning.Subscriber
	s.api("GET", "/subscribers/"+s.name, nil, &document)
	f(&document)
	s.api("PUT", "/subscribers/"+s.name, document, nil)
}

func (s *situation) registered() { s.scscf.register(s.private, s.public) }

func (s *situation) unregistered() {
	s.Helper()
	want(s.T, "SAR UNREGISTERED_USER", s.scscf.sar(cx.UnregisteredUser, "", scscfURI, s.public).Result, cx.Success)
}

func (s *situation) barAll() {
	s.change(func(d *provisioning.Subscriber) {
		for i := range d.RegistrationSets[0].PublicIdentities {
			d.RegistrationSets[0].PublicIdentities[i].Barred = true
		}
	})
}

// situations hands out subscribers on one HSS.
func situations(t *testing.T) func(t *testing.T) *situation {
	h := start(t, settings(t))
	scscf, number := connect(t, h, "scscf"), 0

	return func(t *testing.T) *situation {
		number++
		imsi, msisdn := fmt.Sprintf("0010100000%05d", number), fmt.Sprintf("1555%04d", number)
		here, there := *h, &peer{T: t, Node: scscf.Node}
		here.T = t
		private := here.add(imsi, msisdn, func(n *provisioning.NewSubscriber) {
			n.Capabilities = &provisioning.Capabilities{Mandatory: []uint32{7}, Optional: []uint32{8, 9}}
		})

		return &situation{hss: &here, scscf: there, name: imsi, private: private, public: "sip:" + private}
	}
}

func TestUserAuthorization(t *testing.T) {
	next := situations(t)
	deregistration := func(q *cx.UAR) { q.Type = cx.DeRegistration }
	capabilities := &cx.Capabilities{Mandatory: []uint32{7}, Optional: []uint32{8, 9}}

	tests := []struct {
		name   string
		before func(*situation)
		change func(*cx.UAR)
		want   diameter.Result
		server string
		caps   *cx.Capabilities
	}{
		{name: "6.1.1.1 step 1: private identity unknown", change: func(q *cx.UAR) { q.UserName = "nobody@" + home }, want: cx.ErrorUserUnknown},
		{
			name:   "6.1.1.1 step 1: public identity unknown",
			change: func(q *cx.UAR) { q.PublicIdentity = "sip:nobody@" + home },
			want:   cx.ErrorUserUnknown,
		},
		{
			name:   "6.1.1.1 step 2: another subscriber's identity",
			change: func(q *cx.UAR) { q.PublicIdentity = "tel:+15550001" },
			want:   cx.ErrorIdentitiesDontMatch,
		},
		{name: "6.1.1.1 step 3: a barred identity with others that are not", want: cx.FirstRegistration, caps: capabilities},
		{name: "6.1.1.1 step 3: all barred", before: (*situation).barAll, want: cx.AuthorizationRejected},
		{
			name: "6.1.1.1 step 3: all barred, emergency", before: (*situation).barAll,
			change: func(q *cx.UAR) { q.Flags = cx.EmergencyRegistration }, want: cx.FirstRegistration, caps: capabilities,
		},
		{
			name: "6.1.1.1 step 4: roaming not allowed",
			before: func(s *situation) {
				s.change(func(d *provisioning.Subscriber) { d.PrivateIdentities[0].VisitedNetworks = []string{"elsewhere.org"} })
			},
			want: cx.ErrorRoamingNotAllowed,
		},
		{
			name: "6.1.1.1 step 4: roaming is no matter for an emergency",
			before: func(s *situation) {
				s.change(func(d *provisioning.Subscriber) { d.PrivateIdentities[0].VisitedNetworks = []string{"elsewhere.org"} })
			},
			change: func(q *cx.UAR) { q.Flags = cx.EmergencyRegistration }, want: cx.FirstRegistration, caps: capabilities,
		},
		{
			name: "6.1.1.1 step 4: the identity may not register",
			before: func(s *situation) {
				s.change(func(d *provisioning.Subscriber) {
					never := false
					d.RegistrationSets[0].PublicIdentities[0].MayRegister = &never
				})
			},
			want: cx.AuthorizationRejected,
		},
		{
			name: "6.1.1.1 step 4: capabilities wanted although registered", before: (*situation).registered,
			change: func(q *cx.UAR) { q.Type = cx.RegistrationAndCapabilities }, want: cx.Success, caps: capabilities,
		},
		{name: "6.1.1.1 step 5: registered", before: (*situation).registered, want: cx.SubsequentRegistration, server: scscfURI},
		{
			name: "6.1.1.1 step 5: another identity of the set", before: (*situation).registered,
			change: func(q *cx.UAR) { q.PublicIdentity = "sip:+1555" + q.UserName[11:15] + "@" + home },
			want:   cx.SubsequentRegistration, server: scscfURI,
		},
		{
			name:   "6.1.1.1 step 5: unregistered, the S-CSCF keeps the profile",
			before: (*situation).unregistered,
			want:   cx.SubsequentRegistration,
			server: scscfURI,
		},
		{
			name:   "6.1.1.1 step 5: authentication pending",
			before: func(s *situation) { s.scscf.mar(s.private, s.public, scscfURI) },
			want:   cx.SubsequentRegistration, server: scscfURI,
		},
		{
			name:   "6.1.1.1 step 5: de-registration of a registered identity",
			before: (*situation).registered,
			change: deregistration,
			want:   cx.Success,
			server: scscfURI,
		},
		{name: "6.1.1.1 step 5: de-registration, not registered", change: deregistration, want: cx.ErrorIdentityNotRegistered},
		{
			name:   "6.1.1.1 step 5: de-registration, unregistered",
			before: (*situation).unregistered,
			change: deregistration,
			want:   cx.ErrorIdentityNotRegistered,
		},
		{name: "no such type", change: func(q *cx.UAR) { q.Type = 3 }, want: diameter.InvalidAVPValue},
		{
			name:   "an identity with a port and parameters is the same identity",
			change: func(q *cx.UAR) { q.PublicIdentity += ":5060;transport=udp" }, want: cx.FirstRegistration, caps: capabilities,
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := next(t)
			if test.before != nil {
				test.before(s)
			}

			q := &cx.UAR{UserName: s.private, PublicIdentity: s.public, VisitedNetwork: home}
			if test.change != nil {
				test.change(q)
			}

			a := call[cx.UAA](s.scscf, q)
			want(t, "result ("+a.ErrorMessage+")", a.Result, test.want)
			want(t, "Server-Name", a.ServerName, test.server)
			want(t, "Server-Capabilities", show(a.Capabilities), show(test.caps))
		})
	}
}

func show(c *cx.Capabilities) string {
	if c == nil {
		return "absent"
	}

	return fmt.Sprintf("%+v", *c)
}

// shortUAR has no User-Name, which a UAR must have.
type shortUAR struct {
	cx.RequestHeader
	PublicIdentity string `avp:"Public-Identity,required"`
	VisitedNetwork string `avp:"Visited-Network-Identifier,required"`
}

func (*shortUAR) Command() diameter.Command { return (*cx.UAR)(nil).Command() }

type shortMAR struct {
	cx.RequestHeader
	UserName string `avp:"User-Name,required"`
}

func (*shortMAR) Command() diameter.Command { return (*cx.MAR)(nil).Command() }

type shortSAR struct {
	cx.RequestHeader
	ServerName string `avp:"Server-Name,required"`
}

func (*shortSAR) Command() diameter.Command { return (*cx.SAR)(nil).Command() }

type shortLIR struct{ cx.RequestHeader }

func (*shortLIR) Command() diameter.Command { return (*cx.LIR)(nil).Command() }

func TestMissingAVPs(t *testing.T) {
	h := start(t, settings(t))
	scscf := connect(t, h, "scscf")

	want(t, "UAR", call[cx.UAA](scscf, &shortUAR{PublicIdentity: "sip:a@b", VisitedNetwork: home}).Result, diameter.MissingAVP)
	want(t, "MAR", call[cx.MAA](scscf, &shortMAR{UserName: "a@b"}).Result, diameter.MissingAVP)
	want(t, "SAR", call[cx.SAA](scscf, &shortSAR{ServerName: scscfURI}).Result, diameter.MissingAVP)
	want(t, "LIR", call[cx.LIA](scscf, &shortLIR{}).Result, diameter.MissingAVP)
}
