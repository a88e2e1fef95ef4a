package app

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// resultsOf lists the results that each command can have: those of TS 29.228 §6.1.1.1, §6.1.2.1, §6.1.3, §6.1.4.1, §6.2.2.1 and §6.3.1,
// with DIAMETER_ERROR_FEATURE_UNSUPPORTED of TS 29.229 §6.2.2 for every one, and those of RFC 6733 §7.1.5 for requests that cannot be
// parsed. RTR and PPR are answered by the S-CSCF: their results are those that the HSS must cope with.
var resultsOf = map[string][]diameter.Result{
	"UAR": {
		cx.Success,
		cx.FirstRegistration,
		cx.SubsequentRegistration,
		cx.ErrorUserUnknown,
		cx.ErrorIdentitiesDontMatch,
		cx.ErrorIdentityNotRegistered,
		cx.ErrorRoamingNotAllowed,
		cx.AuthorizationRejected,
		cx.ErrorFeatureUnsupported,
		cx.UnableToComply,
		diameter.InvalidAVPValue,
		diameter.MissingAVP,
	},
	"MAR": {
		cx.Success,
		cx.ErrorUserUnknown,
		cx.ErrorIdentitiesDontMatch,
		cx.ErrorAuthSchemeNotSupported,
		cx.ErrorFeatureUnsupported,
		cx.UnableToComply,
		diameter.InvalidAVPValue, diameter.MissingAVP,
	},
	"SAR": {
		cx.Success, cx.SuccessServerNameNotStored, cx.ErrorUserUnknown, cx.ErrorIdentitiesDontMatch, cx.ErrorIdentityAlreadyRegistered,
		cx.ErrorInAssignmentType,
		cx.ErrorFeatureUnsupported,
		cx.UnableToComply,
		diameter.InvalidAVPValue,
		diameter.MissingAVP,
		diameter.AVPOccursTooManyTimes,
	},
	"LIR": {
		cx.Success, cx.UnregisteredService, cx.ErrorUserUnknown, cx.ErrorIdentityNotRegistered, cx.ErrorFeatureUnsupported, cx.UnableToComply,
		diameter.InvalidAVPValue, diameter.MissingAVP,
	},
	"RTR": {cx.Success, cx.ErrorUserUnknown, cx.ErrorFeatureUnsupported, cx.UnableToComply, diameter.TooBusy},
	"PPR": {
		cx.Success,
		cx.ErrorUserUnknown,
		cx.ErrorTooMuchData,
		cx.ErrorNotSupportedUserData,
		cx.ErrorFeatureUnsupported,
		cx.UnableToComply,
		diameter.TooBusy,
	},
}

// required is a feature that this HSS does not have and the sender insists on: P-CSCF-Restoration-mechanism.
var required = []cx.SupportedFeatures{{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: 1 << 3, Mandatory: true}}

type resultRow struct {
	command string
	want    diameter.Result
	before  func(*situation)
	ask     func(*situation) diameter.Result
}

func uar(change func(*situation, *cx.UAR)) func(*situation) diameter.Result {
	return func(s *situation) diameter.Result {
		q := &cx.UAR{UserName: s.private, PublicIdentity: s.public, VisitedNetwork: home}
		change(s, q)

		return call[cx.UAA](s.scscf, q).Result
	}
}

func mar(change func(*situation, *cx.MAR)) func(*situation) diameter.Result {
	return func(s *situation) diameter.Result {
		q := &cx.MAR{
			UserName:            s.private,
			PublicIdentity:      s.public,
			NumberOfAuthVectors: 1,
			ServerName:          scscfURI,
			AuthDataItem:        cx.AuthDataItem{Scheme: cx.SchemeDigestAKAv1MD5},
		}
		change(s, q)

		return call[cx.MAA](s.scscf, q).Result
	}
}

func sar(kind cx.ServerAssignmentType, change func(*situation, *cx.SAR)) func(*situation) diameter.Result {
	return func(s *situation) diameter.Result {
		q := &cx.SAR{Type: kind, UserName: s.private, ServerName: scscfURI, PublicIdentities: []string{s.public}}
		change(s, q)

		return call[cx.SAA](s.scscf, q).Result
	}
}

func lir(change func(*situation, *cx.LIR)) func(*situation) diameter.Result {
	return func(s *situation) diameter.Result {
		q := &cx.LIR{PublicIdentity: s.public}
		change(s, q)

		return call[cx.LIA](s.scscf, q).Result
	}
}

// ill breaks the store: that is no fault of the user's.
func ill(s *situation) {
	s.Helper()
	database := s.database()
	execute(s.T, database, "ALTER TABLE private_identities RENAME TO elsewhere")
	s.Cleanup(func() {
		if _, err := database.ExecContext(context.Background(), "ALTER TABLE elsewhere RENAME TO private_identities"); err != nil {
			s.Error(err)
		}
	})
}

func resultRows() []resultRow {
	const stranger = "tel:+15550001" // of the first subscriber

	deregistration, nobody := cx.DeRegistration, "nobody@"+home
	five := uint32(5)
	emergency := func(s *situation) {
		s.change(func(d *provisioning.Subscriber) { d.PrivateIdentities[0].VisitedNetworks = []string{"elsewhere"} })
	}
	voicemail := func(s *situation) {
		s.api("PUT", "/service-profiles/"+s.name, voicemail("sip:voicemail.as"), nil)
		s.change(func(d *provisioning.Subscriber) { d.RegistrationSets[0].PublicIdentities[0].ServiceProfile = s.name })
	}

	return []resultRow{
		{"UAR", cx.FirstRegistration, nil, uar(func(*situation, *cx.UAR) {})},
		{"UAR", cx.SubsequentRegistration, (*situation).registered, uar(func(*situation, *cx.UAR) {})},
		{"UAR", cx.Success, (*situation).registered, uar(func(_ *situation, q *cx.UAR) { q.Type = deregistration })},
		{"UAR", cx.ErrorIdentityNotRegistered, nil, uar(func(_ *situation, q *cx.UAR) { q.Type = deregistration })},
		{"UAR", cx.ErrorUserUnknown, nil, uar(func(_ *situation, q *cx.UAR) { q.UserName = nobody })},
		{"UAR", cx.ErrorIdentitiesDontMatch, nil, uar(func(_ *situation, q *cx.UAR) { q.PublicIdentity = stranger })},
		{"UAR", cx.AuthorizationRejected, (*situation).barAll, uar(func(*situation, *cx.UAR) {})},
		{"UAR", cx.ErrorRoamingNotAllowed, emergency, uar(func(*situation, *cx.UAR) {})},
		{"UAR", cx.ErrorFeatureUnsupported, nil, uar(func(_ *situation, q *cx.UAR) { q.SupportedFeatures = required })},
		{"UAR", diameter.InvalidAVPValue, nil, uar(func(_ *situation, q *cx.UAR) { q.Type = 7 })},
		{"UAR", diameter.MissingAVP, nil, func(s *situation) diameter.Result {
			return call[cx.UAA](s.scscf, &shortUAR{PublicIdentity: s.public, VisitedNetwork: home}).Result
		}},
		{"UAR", cx.UnableToComply, ill, uar(func(*situation, *cx.UAR) {})},

		{"MAR", cx.Success, nil, mar(func(*situation, *cx.MAR) {})},
		{"MAR", cx.ErrorUserUnknown, nil, mar(func(_ *situation, q *cx.MAR) { q.UserName = nobody })},
		{"MAR", cx.ErrorIdentitiesDontMatch, nil, mar(func(_ *situation, q *cx.MAR) { q.PublicIdentity = stranger })},
		{"MAR", cx.ErrorAuthSchemeNotSupported, nil, mar(func(_ *situation, q *cx.MAR) { q.AuthDataItem.Scheme = cx.SchemeSIPDigest })},
		{"MAR", cx.ErrorFeatureUnsupported, nil, mar(func(_ *situation, q *cx.MAR) { q.SupportedFeatures = required })},
		{"MAR", diameter.InvalidAVPValue, nil, mar(func(_ *situation, q *cx.MAR) { q.NumberOfAuthVectors = 0 })},
		{"MAR", diameter.MissingAVP, nil, func(s *situation) diameter.Result {
			return call[cx.MAA](s.scscf, &shortMAR{UserName: s.private}).Result
		}},
		{"MAR", cx.UnableToComply, ill, mar(func(*situation, *cx.MAR) {})},

		{"SAR", cx.Success, (*situation).registered, sar(cx.ReRegistration, func(*situation, *cx.SAR) {})},
		{"SAR", cx.ErrorUserUnknown, nil, sar(cx.AssignRegistration, func(_ *situation, q *cx.SAR) { q.UserName = nobody })},
		{"SAR", cx.ErrorIdentitiesDontMatch, nil, sar(cx.AssignRegistration, func(_ *situation, q *cx.SAR) { q.PublicIdentities[0] = stranger })},
		{
			"SAR",
			cx.ErrorIdentityAlreadyRegistered,
			(*situation).registered,
			sar(cx.AssignRegistration, func(_ *situation, q *cx.SAR) { q.ServerName = otherURI }),
		},
		{"SAR", cx.ErrorInAssignmentType, (*situation).registered, sar(cx.UnregisteredUser, func(*situation, *cx.SAR) {})},
		{
			"SAR",
			cx.ErrorFeatureUnsupported,
			(*situation).registered,
			sar(cx.ReRegistration, func(_ *situation, q *cx.SAR) { q.SupportedFeatures = required }),
		},
		{"SAR", cx.UnableToComply, (*situation).registered, sar(cx.NoAssignment, func(_ *situation, q *cx.SAR) { q.ServerName = otherURI })},
		{"SAR", cx.UnableToComply, ill, sar(cx.AssignRegistration, func(*situation, *cx.SAR) {})},
		{"SAR", diameter.InvalidAVPValue, nil, sar(99, func(*situation, *cx.SAR) {})},
		{"SAR", diameter.MissingAVP, nil, sar(cx.AssignRegistration, func(_ *situation, q *cx.SAR) { q.UserName = "" })},
		{
			"SAR",
			diameter.AVPOccursTooManyTimes,
			nil,
			sar(cx.AssignRegistration, func(_ *situation, q *cx.SAR) { q.PublicIdentities = append(q.PublicIdentities, stranger) }),
		},

		{"LIR", cx.Success, (*situation).registered, lir(func(*situation, *cx.LIR) {})},
		{"LIR", cx.UnregisteredService, voicemail, lir(func(*situation, *cx.LIR) {})},
		{"LIR", cx.ErrorUserUnknown, nil, lir(func(_ *situation, q *cx.LIR) { q.PublicIdentity = "tel:+1" })},
		{"LIR", cx.ErrorIdentityNotRegistered, nil, lir(func(*situation, *cx.LIR) {})},
		{"LIR", cx.ErrorFeatureUnsupported, (*situation).registered, lir(func(_ *situation, q *cx.LIR) { q.SupportedFeatures = required })},
		{"LIR", diameter.InvalidAVPValue, nil, lir(func(_ *situation, q *cx.LIR) { q.OriginatingRequest = &five })},
		{"LIR", diameter.MissingAVP, nil, func(s *situation) diameter.Result { return call[cx.LIA](s.scscf, &shortLIR{}).Result }},
		{"LIR", cx.UnableToComply, ill, lir(func(*situation, *cx.LIR) {})},
	}
}

// TestEachCommandGivesEachResult is complete: each result in resultsOf is produced here, over the wire, and no other.
func TestEachCommandGivesEachResult(t *testing.T) {
	given := map[string][]diameter.Result{}
	next := situations(t)
	next(t) // whose identities are not those of the others

	for _, row := range resultRows() {
		t.Run(fmt.Sprintf("%s %d of vendor %d", row.command, row.want.Code, row.want.Vendor), func(t *testing.T) {
			s := next(t)
			if row.before != nil {
				row.before(s)
			}
			want(t, "result", row.ask(s), row.want)
		})
		given[row.command] = append(given[row.command], row.want)
	}

	t.Run("SAR 2004 of vendor 10415", func(t *testing.T) {
		c := settings(t)
		c.Cx.StoreServerName = false
		h := start(t, c)
		private := h.add("001010000000001", "15550001")
		scscf := connect(t, h, "scscf")
		scscf.register(private, "sip:"+private)
		want(
			t,
			"result",
			scscf.sar(cx.UserDeregistrationStoreServerName, private, scscfURI, "sip:"+private).Result,
			cx.SuccessServerNameNotStored,
		)
	})
	given["SAR"] = append(given["SAR"], cx.SuccessServerNameNotStored)

	for _, command := range []subscriber.PushCommand{subscriber.RTR, subscriber.PPR} {
		answeredPushes(t, command)
		given[string(command)] = resultsOf[string(command)]
	}

	for command, results := range resultsOf {
		for _, result := range results {
			if !slices.Contains(given[command], result) {
				t.Errorf("%s: nothing is answered %v", command, result)
			}
		}
		for _, result := range given[command] {
			if !slices.Contains(results, result) {
				t.Errorf("%s: %v is not among its results", command, result)
			}
		}
	}
}

// answeredPushes makes an S-CSCF give each result of RTR or PPR.
func answeredPushes(t *testing.T, command subscriber.PushCommand) {
	h := start(t, settings(t))
	private := h.add("001010000000001", "15550001")
	scscf := connect(t, h, "scscf")
	public := "sip:" + private

	for _, result := range resultsOf[string(command)] {
		t.Run(fmt.Sprintf("%s %d of vendor %d", command, result.Code, result.Vendor), func(t *testing.T) {
			scscf.register(private, public)
			scscf.mu.Lock()
			scscf.answers = []diameter.Result{result}
			scscf.mu.Unlock()

			if command == subscriber.PPR {
				h.api("PUT", "/service-profiles/default", voicemail("sip:"+t.Name()+".as"), nil)
			} else {
				h.api("DELETE", "/subscribers/001010000000001/registration", nil, nil)
			}

			push, attempts, state := h.finished(), 1, subscriber.PushRefused
			switch result {
			case diameter.TooBusy: // and then it is not any more
				attempts, state = 2, subscriber.PushDelivered
			case cx.Success, cx.ErrorUserUnknown:
				state = subscriber.PushDelivered
			}
			want(t, "state", push.State, state)
			want(t, "attempts", push.Attempts, attempts)
			want(t, "command", push.Command, command)
			scscf.pushed(attempts)
		})
	}
}

// TS 29.229 §7.2: a feature that the sender requires and the HSS lacks is refused, with the supported ones; a feature that it only
// announces is not, and a refusal changes nothing.
func TestRequiredFeatures(t *testing.T) {
	s := situations(t)(t)
	offered := func(bits uint32, mandatory bool) []cx.SupportedFeatures {
		return []cx.SupportedFeatures{{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: bits, Mandatory: mandatory}}
	}

	for _, test := range []struct {
		name    string
		offered []cx.SupportedFeatures
		want    diameter.Result
		common  string
	}{
		{"none", nil, cx.Success, "[]"},
		{"all of list 1, announced", offered(0b1111, false), cx.Success, "[{10415 1 7 false}]"},
		{"one that is there, required", offered(cx.FeatureAliases, true), cx.Success, "[{10415 1 2 false}]"},
		{"one that is not there, required", offered(1<<3, true), cx.ErrorFeatureUnsupported, "[{10415 1 7 false}]"},
		{"one of both, required", offered(0b1001, true), cx.ErrorFeatureUnsupported, "[{10415 1 7 false}]"},
		{
			"another list, required",
			[]cx.SupportedFeatures{{VendorID: cx.VendorID, FeatureListID: 2, FeatureList: 1, Mandatory: true}},
			cx.ErrorFeatureUnsupported,
			"[{10415 1 7 false}]",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := cx.RequestHeader{SupportedFeatures: test.offered}

			m := call[cx.MAA](
				s.scscf,
				&cx.MAR{
					RequestHeader:       header,
					UserName:            s.private,
					PublicIdentity:      s.public,
					NumberOfAuthVectors: 1,
					ServerName:          scscfURI,
					AuthDataItem:        cx.AuthDataItem{Scheme: cx.SchemeUnknown},
				},
			)
			want(t, "MAR", m.Result, test.want)
			want(t, "features of the MAA", m.SupportedFeatures, test.common)

			a := call[cx.SAA](
				s.scscf,
				&cx.SAR{
					RequestHeader:    header,
					Type:             cx.AssignRegistration,
					UserName:         s.private,
					PublicIdentities: []string{s.public},
					ServerName:       scscfURI,
				},
			)
			want(t, "SAR", a.Result, test.want)
			want(t, "features of the SAA", a.SupportedFeatures, test.common)

			u := call[cx.UAA](
				s.scscf,
				&cx.UAR{
					RequestHeader:  header,
					UserName:       s.private,
					PublicIdentity: s.public,
					VisitedNetwork: home,
					Type:           cx.RegistrationAndCapabilities,
				},
			)
			want(t, "UAR", u.Result, test.want)
			want(t, "features of the UAA", u.SupportedFeatures, test.common)

			l := call[cx.LIA](s.scscf, &cx.LIR{RequestHeader: header, PublicIdentity: s.public})
			if test.want != cx.Success {
				want(t, "LIR", l.Result, test.want)
			}
			want(t, "features of the LIA", l.SupportedFeatures, test.common)

			s.scscf.sar(cx.UserDeregistration, s.private, scscfURI, s.public)
		})
	}

	refused := call[cx.SAA](
		s.scscf,
		&cx.SAR{
			RequestHeader:    cx.RequestHeader{SupportedFeatures: required},
			Type:             cx.AssignRegistration,
			UserName:         s.private,
			PublicIdentities: []string{s.public},
			ServerName:       scscfURI,
		},
	)
	want(t, "SAR", refused.Result, cx.ErrorFeatureUnsupported)
	want(t, "afterwards", s.scscf.uar(s.private, s.public).Result, cx.FirstRegistration)
}
