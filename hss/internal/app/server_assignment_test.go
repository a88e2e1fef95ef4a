package app

import (
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

func TestServerAssignment(t *testing.T) {
	next := situations(t)

	pending := func(s *situation) { s.scscf.mar(s.private, s.public, scscfURI) }
	service := func(s *situation) {
		s.api("PUT", "/subscribers/"+s.name+"/public-identities/sip:service-"+s.name+"@"+home,
			provisioning.PlacedIdentity{RegistrationSet: 2, PublicIdentity: provisioning.PublicIdentity{Kind: "service"}}, nil)
	}
	ofService := func(s *situation, q *cx.SAR) { q.PublicIdentities = []string{"sip:service-" + s.name + "@" + home} }
	another := func(_ *situation, q *cx.SAR) { q.ServerName = otherURI }
	noPublic := func(_ *situation, q *cx.SAR) { q.PublicIdentities = nil }
	two := func(s *situation, q *cx.SAR) {
		q.PublicIdentities = append(q.PublicIdentities, "tel:+1555"+s.name[11:])
	}
	noUser := func(_ *situation, q *cx.SAR) { q.UserName = "" }

	const (
		registered    = "registered"
		unregistered  = "unregistered"
		notRegistered = "not registered"
	)

	tests := []struct {
		name     string
		before   func(*situation)
		kind     cx.ServerAssignmentType
		change   func(*situation, *cx.SAR)
		want     diameter.Result
		state    string
		server   string
		download bool
	}{
		{
			name:   "step 1: private identity unknown",
			kind:   cx.AssignRegistration,
			change: func(_ *situation, q *cx.SAR) { q.UserName = "nobody@" + home },
			want:   cx.ErrorUserUnknown,
			state:  notRegistered,
		},
		{
			name:   "step 1: public identity unknown",
			kind:   cx.AssignRegistration,
			change: func(_ *situation, q *cx.SAR) { q.PublicIdentities[0] = "tel:+1" },
			want:   cx.ErrorUserUnknown,
			state:  notRegistered,
		},
		{
			name:   "step 2: another subscriber's identity",
			kind:   cx.AssignRegistration,
			change: func(_ *situation, q *cx.SAR) { q.PublicIdentities[0] = "tel:+15550001" },
			want:   cx.ErrorIdentitiesDontMatch,
			state:  notRegistered,
		},
		{
			name: "step 3: two identities registered at once", kind: cx.AssignRegistration,
			change: func(s *situation, q *cx.SAR) { q.PublicIdentities = append(q.PublicIdentities, "tel:+"+s.public) },
			want:   diameter.AVPOccursTooManyTimes, state: notRegistered,
		},
		{
			name:   "step 4: a service is registered",
			before: service,
			kind:   cx.AssignRegistration,
			change: ofService,
			want:   cx.ErrorInAssignmentType,
			state:  notRegistered,
		},
		{name: "REGISTRATION without a user name", kind: cx.AssignRegistration, change: noUser, want: diameter.MissingAVP, state: notRegistered},
		{
			name:   "REGISTRATION without a public identity",
			kind:   cx.AssignRegistration,
			change: func(_ *situation, q *cx.SAR) { q.PublicIdentities = nil },
			want:   diameter.MissingAVP,
			state:  notRegistered,
		},
		{
			name:   "nothing is named",
			kind:   cx.UserDeregistration,
			change: func(_ *situation, q *cx.SAR) { q.UserName, q.PublicIdentities = "", nil },
			want:   diameter.MissingAVP,
			state:  notRegistered,
		},

		{
			name:     "NO_ASSIGNMENT from the S-CSCF in charge",
			before:   (*situation).registered,
			kind:     cx.NoAssignment,
			want:     cx.Success,
			state:    registered,
			server:   scscfURI,
			download: true,
		},
		{
			name:   "NO_ASSIGNMENT from another",
			before: (*situation).registered,
			kind:   cx.NoAssignment,
			change: another,
			want:   cx.UnableToComply,
			state:  registered,
			server: scscfURI,
		},
		{name: "NO_ASSIGNMENT, nobody in charge", kind: cx.NoAssignment, want: cx.UnableToComply, state: notRegistered},

		{
			name:     "REGISTRATION after authentication",
			before:   pending,
			kind:     cx.AssignRegistration,
			want:     cx.Success,
			state:    registered,
			server:   scscfURI,
			download: true,
		},
		{
			name:   "REGISTRATION, the profile is there already",
			before: pending,
			kind:   cx.AssignRegistration,
			change: func(_ *situation, q *cx.SAR) { q.DataAlreadyAvailable = cx.UserDataAvailable },
			want:   cx.Success,
			state:  registered,
			server: scscfURI,
		},
		{
			name:     "REGISTRATION without authentication",
			kind:     cx.AssignRegistration,
			want:     cx.Success,
			state:    registered,
			server:   scscfURI,
			download: true,
		},
		{
			name:   "REGISTRATION at another S-CSCF",
			before: pending,
			kind:   cx.AssignRegistration,
			change: another,
			want:   cx.ErrorIdentityAlreadyRegistered,
			state:  notRegistered,
			server: scscfURI,
		},
		{
			name:     "RE_REGISTRATION",
			before:   (*situation).registered,
			kind:     cx.ReRegistration,
			want:     cx.Success,
			state:    registered,
			server:   scscfURI,
			download: true,
		},
		{
			name:   "RE_REGISTRATION at another S-CSCF",
			before: (*situation).registered,
			kind:   cx.ReRegistration,
			change: another,
			want:   cx.ErrorIdentityAlreadyRegistered,
			state:  registered,
			server: scscfURI,
		},

		{
			name:     "UNREGISTERED_USER",
			kind:     cx.UnregisteredUser,
			change:   noUser,
			want:     cx.Success,
			state:    unregistered,
			server:   scscfURI,
			download: true,
		},
		{
			name:     "UNREGISTERED_USER of a service",
			before:   service,
			kind:     cx.UnregisteredUser,
			change:   ofService,
			want:     cx.Success,
			state:    unregistered,
			server:   scscfURI,
			download: true,
		},
		{
			name:   "UNREGISTERED_USER, but registered",
			before: (*situation).registered,
			kind:   cx.UnregisteredUser,
			want:   cx.ErrorInAssignmentType,
			state:  registered,
			server: scscfURI,
		},
		{
			name:   "UNREGISTERED_USER at another S-CSCF",
			before: (*situation).unregistered,
			kind:   cx.UnregisteredUser,
			change: another,
			want:   cx.ErrorIdentityAlreadyRegistered,
			state:  unregistered,
			server: scscfURI,
		},
		{
			name:     "REGISTRATION of an unregistered user",
			before:   (*situation).unregistered,
			kind:     cx.AssignRegistration,
			want:     cx.Success,
			state:    registered,
			server:   scscfURI,
			download: true,
		},

		{name: "TIMEOUT_DEREGISTRATION", before: (*situation).registered, kind: cx.TimeoutDeregistration, want: cx.Success, state: notRegistered},
		{name: "USER_DEREGISTRATION", before: (*situation).registered, kind: cx.UserDeregistration, want: cx.Success, state: notRegistered},
		{
			name:   "USER_DEREGISTRATION of all",
			before: (*situation).registered,
			kind:   cx.UserDeregistration,
			change: func(_ *situation, q *cx.SAR) { q.PublicIdentities = nil },
			want:   cx.Success,
			state:  notRegistered,
		},
		{
			name: "USER_DEREGISTRATION of several", before: (*situation).registered, kind: cx.UserDeregistration,
			change: func(s *situation, q *cx.SAR) {
				q.PublicIdentities = append(q.PublicIdentities, "tel:+1555"+s.name[11:])
			},
			want: cx.Success, state: notRegistered,
		},
		{
			name: "USER_DEREGISTRATION of several, one of them unknown", before: (*situation).registered, kind: cx.UserDeregistration,
			change: func(_ *situation, q *cx.SAR) { q.PublicIdentities = append(q.PublicIdentities, "tel:+1") },
			want:   cx.ErrorUserUnknown, state: registered, server: scscfURI,
		},
		{
			name:   "USER_DEREGISTRATION from another S-CSCF",
			before: (*situation).registered,
			kind:   cx.UserDeregistration,
			change: another,
			want:   cx.UnableToComply,
			state:  registered,
			server: scscfURI,
		},
		{name: "USER_DEREGISTRATION of a user who is not registered", kind: cx.UserDeregistration, want: cx.Success, state: notRegistered},
		{
			name:   "DEREGISTRATION_TOO_MUCH_DATA",
			before: (*situation).registered,
			kind:   cx.DeregistrationTooMuchData,
			want:   cx.Success,
			state:  notRegistered,
		},
		{
			name:   "ADMINISTRATIVE_DEREGISTRATION",
			before: (*situation).registered,
			kind:   cx.AdministrativeDeregistration,
			want:   cx.Success,
			state:  notRegistered,
		},
		{
			name:   "TIMEOUT_DEREGISTRATION_STORE_SERVER_NAME",
			before: (*situation).registered,
			kind:   cx.TimeoutDeregistrationStoreServerName,
			want:   cx.Success,
			state:  unregistered,
			server: scscfURI,
		},
		{
			name:   "USER_DEREGISTRATION_STORE_SERVER_NAME",
			before: (*situation).registered,
			kind:   cx.UserDeregistrationStoreServerName,
			want:   cx.Success,
			state:  unregistered,
			server: scscfURI,
		},
		{
			name:   "TIMEOUT_DEREGISTRATION of an unregistered user",
			before: (*situation).unregistered,
			kind:   cx.TimeoutDeregistration,
			change: noUser,
			want:   cx.Success,
			state:  notRegistered,
		},

		{name: "AUTHENTICATION_FAILURE", before: pending, kind: cx.AuthenticationFailure, want: cx.Success, state: notRegistered},
		{name: "AUTHENTICATION_TIMEOUT", before: pending, kind: cx.AuthenticationTimeout, want: cx.Success, state: notRegistered},
		{
			name:   "AUTHENTICATION_FAILURE of a registered user",
			before: (*situation).registered,
			kind:   cx.AuthenticationFailure,
			want:   cx.Success,
			state:  registered,
			server: scscfURI,
		},
		{
			name:   "AUTHENTICATION_TIMEOUT of an unregistered user",
			before: func(s *situation) { s.unregistered(); pending(s) },
			kind:   cx.AuthenticationTimeout,
			want:   cx.Success,
			state:  unregistered,
			server: scscfURI,
		},
		{
			name:   "AUTHENTICATION_FAILURE from another S-CSCF",
			before: pending,
			kind:   cx.AuthenticationFailure,
			change: another,
			want:   cx.UnableToComply,
			state:  notRegistered,
			server: scscfURI,
		},

		{
			name:   "AAA_USER_DATA_REQUEST is of SWx",
			before: (*situation).registered,
			kind:   cx.AAAUserDataRequest,
			want:   cx.ErrorInAssignmentType,
			state:  registered,
			server: scscfURI,
		},
		{
			name:   "PGW_UPDATE is of SWx",
			before: (*situation).registered,
			kind:   cx.PGWUpdate,
			want:   cx.ErrorInAssignmentType,
			state:  registered,
			server: scscfURI,
		},
		{
			name:   "RESTORATION is of SWx",
			before: (*situation).registered,
			kind:   cx.Restoration,
			want:   cx.ErrorInAssignmentType,
			state:  registered,
			server: scscfURI,
		},
		{
			name:   "no such User-Data-Already-Available",
			kind:   cx.AssignRegistration,
			change: func(_ *situation, q *cx.SAR) { q.DataAlreadyAvailable = 2 },
			want:   diameter.InvalidAVPValue,
			state:  notRegistered,
		},
		{
			name:   "NO_ASSIGNMENT without a public identity",
			before: (*situation).registered,
			kind:   cx.NoAssignment,
			change: noPublic,
			want:   diameter.MissingAVP,
			state:  registered,
			server: scscfURI,
		},
		{
			name:   "UNREGISTERED_USER without a public identity",
			kind:   cx.UnregisteredUser,
			change: noPublic,
			want:   diameter.MissingAVP,
			state:  notRegistered,
		},
		{
			name:   "UNREGISTERED_USER of several",
			kind:   cx.UnregisteredUser,
			change: two,
			want:   diameter.AVPOccursTooManyTimes,
			state:  notRegistered,
		},
		{
			name:   "NO_ASSIGNMENT of several",
			before: (*situation).registered,
			kind:   cx.NoAssignment,
			change: two,
			want:   diameter.AVPOccursTooManyTimes,
			state:  registered,
			server: scscfURI,
		},
		{
			name:   "AUTHENTICATION_FAILURE of several",
			before: pending,
			kind:   cx.AuthenticationFailure,
			change: two,
			want:   diameter.AVPOccursTooManyTimes,
			state:  notRegistered,
			server: scscfURI,
		},
		{
			name:   "AUTHENTICATION_TIMEOUT without a user name",
			before: pending,
			kind:   cx.AuthenticationTimeout,
			change: noUser,
			want:   diameter.MissingAVP,
			state:  notRegistered,
			server: scscfURI,
		},
		{
			name:     "RE_REGISTRATION of a user who is not registered",
			kind:     cx.ReRegistration,
			want:     cx.Success,
			state:    registered,
			server:   scscfURI,
			download: true,
		},
		{
			name:   "UNREGISTERED_USER, the profile is there already",
			kind:   cx.UnregisteredUser,
			change: func(_ *situation, q *cx.SAR) { q.DataAlreadyAvailable = cx.UserDataAvailable },
			want:   cx.Success,
			state:  unregistered,
			server: scscfURI,
		},
		{
			name:   "NO_ASSIGNMENT, the profile is there already",
			before: (*situation).registered,
			kind:   cx.NoAssignment,
			change: func(_ *situation, q *cx.SAR) { q.DataAlreadyAvailable = cx.UserDataAvailable },
			want:   cx.Success,
			state:  registered,
			server: scscfURI,
		},
		{
			name:   "USER_DEREGISTRATION, nothing is downloaded whatever is asked",
			before: (*situation).registered,
			kind:   cx.UserDeregistration,
			want:   cx.Success,
			state:  notRegistered,
		},
		{name: "no such type", before: (*situation).registered, kind: 99, want: diameter.InvalidAVPValue, state: registered, server: scscfURI},
	}

	for _, test := range tests {
		t.Run("6.1.2.1 "+test.name, func(t *testing.T) {
			s := next(t)
			if test.before != nil {
				test.before(s)
			}

			q := &cx.SAR{Type: test.kind, UserName: s.private, ServerName: scscfURI, PublicIdentities: []string{s.public}}
			if test.change != nil {
				test.change(s, q)
			}

			a := call[cx.SAA](s.scscf, q)
			want(t, "result ("+a.ErrorMessage+")", a.Result, test.want)
			want(t, "User-Data there", len(a.UserData) > 0, test.download)
			if test.download {
				want(t, "User-Name", a.UserName, s.private)
			}

			var now provisioning.RegistrationState
			s.api("GET", "/subscribers/"+s.name+"/registration", nil, &now)
			want(t, "state", now.State, test.state)
			want(t, "S-CSCF", now.ServerName, test.server)
		})
	}
}

func TestServerNameIsNotKeptIfThePolicySaysSo(t *testing.T) {
	c := settings(t)
	c.Cx.StoreServerName = false
	h := start(t, c)
	private := h.add("001010000000001", "15550001")
	scscf := connect(t, h, "scscf")

	for _, kind := range []cx.ServerAssignmentType{cx.UserDeregistrationStoreServerName, cx.TimeoutDeregistrationStoreServerName} {
		scscf.register(private, "sip:"+private)
		want(t, "SAR", scscf.sar(kind, private, scscfURI, "sip:"+private).Result, cx.SuccessServerNameNotStored)
		want(t, "UAR afterwards", scscf.uar(private, "sip:"+private).Result, cx.FirstRegistration)
	}
}
