package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/s6a"
	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
)

// updateEff announces the feature for several services in one PUR.
var updateEff = cx.SupportedFeatures{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: 1 << 1}

// shResults lists the results that each command of Sh can have: those of TS 29.328 §6.1.1.1, §6.1.2.1 and §6.1.3.1, and those of any
// command. USER_DATA_NOT_AVAILABLE and PRIOR_UPDATE_IN_PROGRESS are not among them: updates wait for each other.
var shResults = map[string][]diameter.Result{
	"UDR": {
		sh.Success, sh.ErrorUserDataCannotBeRead, sh.ErrorUserUnknown, sh.ErrorIdentitiesDontMatch, sh.ErrorOperationNotAllowed,
		sh.UnableToComply, diameter.MissingAVP, diameter.InvalidAVPValue, diameter.AVPOccursTooManyTimes, cx.ErrorFeatureUnsupported,
		diameter.ApplicationUnsupported,
	},
	"PUR": {
		sh.Success, sh.ErrorUserDataCannotBeModified, sh.ErrorUserUnknown, sh.ErrorIdentitiesDontMatch, sh.ErrorOperationNotAllowed,
		sh.ErrorUserDataNotRecognized, sh.ErrorTransparentDataOutOfSync, sh.ErrorTooMuchData, sh.ErrorDSAINotAvailable, sh.UnableToComply,
		diameter.MissingAVP, diameter.AVPOccursTooManyTimes, cx.ErrorFeatureUnsupported,
	},
	"SNR": {
		sh.Success, sh.ErrorUserDataCannotBeNotified, sh.ErrorUserUnknown, sh.ErrorIdentitiesDontMatch, sh.ErrorOperationNotAllowed,
		sh.ErrorSubsDataAbsent, sh.ErrorDSAINotAvailable, sh.UnableToComply, diameter.MissingAVP, diameter.AVPOccursTooManyTimes,
		cx.ErrorFeatureUnsupported,
	},
}

// TestEachShCommandGivesEachResult is complete: each result in shResults is produced here, over the wire.
func TestEachShCommandGivesEachResult(t *testing.T) {
	c := withAS(t)
	c.Sh.MaxData, c.Sh.MaxServices, c.Sh.MaxSubscriptions = 100, 2, 2
	c.Diameter.AllowUnknownPeers = true
	h := start(t, c)
	h.add(attached, "15550001")
	private := h.add("001010000000002", "15550002")
	h.raw(
		"PUT",
		"/subscribers/"+attached+"/public-identities/sip:service@"+home,
		"application/json",
		`{"registration_set": 2, "kind": "service", "barred": false}`,
	)

	a, guest, reader, stranger := connectAS(t, h, "as"), connectAS(t, h, "guest"), connectAS(t, h, "reader"), connectAS(t, h, "stranger")
	const public, service = "tel:+15550001", "sip:service@" + home
	given := map[string][]diameter.Result{}

	gives := func(command, name string, got, result diameter.Result, why string) {
		t.Helper()
		t.Run(fmt.Sprintf("%s: %s: %d of vendor %d", command, name, result.Code, result.Vendor), func(t *testing.T) {
			want(t, "result ("+why+")", got, result)
		})
		given[command] = append(given[command], result)
	}
	feature := []cx.SupportedFeatures{{VendorID: cx.VendorID, FeatureListID: 1, FeatureList: 1, Mandatory: true}}

	read := func(name string, result diameter.Result, from *as, public string, reference sh.DataReference, change ...func(*sh.UDR)) {
		t.Helper()
		answer := from.udr(public, reference, change...)
		gives("UDR", name, answer.Result, result, answer.ErrorMessage)
	}
	write := func(name string, result diameter.Result, from *as, public, document string, change ...func(*sh.PUR)) {
		t.Helper()
		answer := from.pur(public, document, change...)
		gives("PUR", name, answer.Result, result, answer.ErrorMessage)
	}
	watch := func(name string, result diameter.Result, from *as, public string, reference sh.DataReference, change ...func(*sh.SNR)) {
		t.Helper()
		answer := from.snr(public, reference, change...)
		gives("SNR", name, answer.Result, result, answer.ErrorMessage)
	}
	number := func(octets []byte) func(*sh.UDR) {
		return func(q *sh.UDR) { q.User = sh.UserIdentity{MSISDN: octets} }
	}

	read("its state", sh.Success, a, public, sh.ReferenceIMSUserState)
	read("its state, by who may read that", sh.Success, reader, public, sh.ReferenceIMSUserState)
	read("a peer that may nothing", sh.ErrorUserDataCannotBeRead, guest, "tel:+1", sh.ReferenceIMSUserState)
	read("another thing", sh.ErrorUserDataCannotBeRead, reader, public, sh.ReferenceSCSCFName)
	read("what the HSS does not have", sh.ErrorUserDataCannotBeRead, a, public, 27)
	read("a stranger", diameter.ApplicationUnsupported, stranger, public, sh.ReferenceIMSUserState)
	read("nobody", sh.ErrorUserUnknown, a, "tel:+1", sh.ReferenceIMSUserState)
	read("nobody's number", sh.ErrorUserUnknown, a, "", sh.ReferenceMSISDN, number(s6a.TBCD("1")))
	read("an external identifier", sh.ErrorUserUnknown, a, "", sh.ReferenceMSISDN, func(q *sh.UDR) {
		q.User = sh.UserIdentity{ExternalIdentifier: "x@example.org"}
	})
	read("a number that is none", diameter.InvalidAVPValue, a, "", sh.ReferenceMSISDN, number([]byte{0xAB}))
	read("another's private identity", sh.ErrorIdentitiesDontMatch, a, public, sh.ReferenceMSISDN, func(q *sh.UDR) { q.UserName = private })
	read("nobody's private identity", sh.ErrorIdentitiesDontMatch, a, public, sh.ReferenceMSISDN, func(q *sh.UDR) { q.UserName = "x" })
	read("the state of a service", sh.ErrorOperationNotAllowed, a, service, sh.ReferenceIMSUserState)
	read("the state of a number", sh.ErrorOperationNotAllowed, a, "", sh.ReferenceIMSUserState, number(s6a.TBCD("15550001")))
	read("an empty identity", diameter.MissingAVP, a, "", sh.ReferenceIMSUserState)
	read("no service", diameter.MissingAVP, a, public, sh.ReferenceRepositoryData)
	read("no Server-Name", diameter.MissingAVP, a, public, sh.ReferenceFilterCriteria)
	read("a long Server-Name", diameter.InvalidAVPValue, a, public, sh.ReferenceFilterCriteria, func(q *sh.UDR) {
		q.ServerName = "sip:" + strings.Repeat("a", 1021)
	})
	read("no tag", diameter.MissingAVP, a, public, sh.ReferenceDSAI)
	read("nothing", diameter.MissingAVP, a, public, 11, func(q *sh.UDR) { q.References = nil })
	read("two things", diameter.AVPOccursTooManyTimes, a, public, 11, func(q *sh.UDR) { q.References = append(q.References, 12) })
	read("two services", diameter.AVPOccursTooManyTimes, a, public, 0, func(q *sh.UDR) { q.Services = []string{"a", "b"} })
	read("two sets", diameter.AVPOccursTooManyTimes, a, public, 10, func(q *sh.UDR) { q.IdentitySets = []sh.IdentitySet{0, 1} })
	read("a set that does not exist", diameter.InvalidAVPValue, a, public, 10, func(q *sh.UDR) { q.IdentitySets = []sh.IdentitySet{9} })
	read("a feature that is not there", cx.ErrorFeatureUnsupported, a, public, 11, func(q *sh.UDR) { q.SupportedFeatures = feature })

	write("new data", sh.Success, a, public, repository("one", 0, "<x/>"))
	write("other data", sh.Success, a, public, repository("one", 1, "<y/>"))
	write("a peer that may nothing", sh.ErrorUserDataCannotBeModified, guest, public, repository("one", 2, "<y/>"))
	write(
		"what cannot be updated",
		sh.ErrorUserDataCannotBeModified,
		a,
		public,
		repository("one", 2, "<y/>"),
		func(q *sh.PUR) { q.References[0] = 11 },
	)
	write("nobody", sh.ErrorUserUnknown, a, "tel:+1", repository("one", 0, "<x/>"))
	write(
		"another's private identity",
		sh.ErrorIdentitiesDontMatch,
		a,
		public,
		repository("one", 2, "<x/>"),
		func(q *sh.PUR) { q.UserName = private },
	)
	write(
		"of a number",
		sh.ErrorOperationNotAllowed,
		a,
		"",
		repository("one", 2, "<x/>"),
		func(q *sh.PUR) { q.User.MSISDN = s6a.TBCD("15550001") },
	)
	write("deletion of nothing", sh.ErrorOperationNotAllowed, a, public, repository("two", 0, ""))
	write("no XML", sh.ErrorUserDataNotRecognized, a, public, "hello")
	write("another document", sh.ErrorUserDataNotRecognized, a, public, "<IMSSubscription/>")
	write("no repository data", sh.ErrorUserDataNotRecognized, a, public, "<Sh-Data><Sh-IMS-Data/></Sh-Data>")
	write("no number", sh.ErrorUserDataNotRecognized, a, public, strings.Replace(repository("one", 2, "<x/>"), ">2<", ">two<", 1))
	write("a document type", sh.ErrorUserDataNotRecognized, a, public, `<!DOCTYPE x><Sh-Data/>`)
	write("the number of now", sh.ErrorTransparentDataOutOfSync, a, public, repository("one", 1, "<x/>"))
	write("as if it were new", sh.ErrorTransparentDataOutOfSync, a, public, repository("one", 0, "<x/>"))
	write("a step too far", sh.ErrorTransparentDataOutOfSync, a, public, repository("one", 3, "<x/>"))
	write("new, with a number", sh.ErrorTransparentDataOutOfSync, a, public, repository("two", 1, "<x/>"))
	write("too much", sh.ErrorTooMuchData, a, public, repository("one", 2, strings.Repeat("x", 200)))
	write("a second service", sh.Success, a, public, repository("two", 0, "<x/>"))
	write("a third service", sh.ErrorTooMuchData, a, public, repository("three", 0, "<x/>"))
	write("DSAI", sh.ErrorDSAINotAvailable, a, public, "<Sh-Data/>", func(q *sh.PUR) { q.References[0] = sh.ReferenceDSAI })
	write("nothing", diameter.MissingAVP, a, public, "<Sh-Data/>", func(q *sh.PUR) { q.References = nil })
	write("two things", diameter.AVPOccursTooManyTimes, a, public, "<Sh-Data/>", func(q *sh.PUR) { q.References = append(q.References, 12) })
	write(
		"a feature that is not there",
		cx.ErrorFeatureUnsupported,
		a,
		public,
		"<Sh-Data/>",
		func(q *sh.PUR) { q.SupportedFeatures = feature },
	)

	unsubscribe := func(q *sh.SNR) { q.Type = sh.Unsubscribe }
	watch("its state", sh.Success, a, public, sh.ReferenceIMSUserState)
	watch("its state again", sh.Success, a, public, sh.ReferenceIMSUserState)
	watch("a peer that may nothing", sh.ErrorUserDataCannotBeNotified, guest, public, sh.ReferenceIMSUserState)
	watch("what cannot be watched", sh.ErrorUserDataCannotBeNotified, a, public, sh.ReferenceLocationInformation)
	watch("nobody", sh.ErrorUserUnknown, a, "tel:+1", sh.ReferenceIMSUserState)
	watch(
		"another's private identity",
		sh.ErrorIdentitiesDontMatch,
		a,
		public,
		sh.ReferencePrivateIdentity,
		func(q *sh.SNR) { q.UserName = private },
	)
	watch("the state of a service", sh.ErrorOperationNotAllowed, a, service, sh.ReferenceIMSUserState)
	watch(
		"data that there is not",
		sh.ErrorSubsDataAbsent,
		a,
		public,
		sh.ReferenceRepositoryData,
		func(q *sh.SNR) { q.Services = []string{"none"} },
	)
	watch("no service", diameter.MissingAVP, a, public, sh.ReferenceRepositoryData)
	watch("two things", diameter.AVPOccursTooManyTimes, a, public, 11, func(q *sh.SNR) { q.References = append(q.References, 12) })
	watch("DSAI", sh.ErrorDSAINotAvailable, a, public, sh.ReferenceDSAI, func(q *sh.SNR) { q.DSAITags = []string{"tag"} })
	watch("a feature that is not there", cx.ErrorFeatureUnsupported, a, public, 11, func(q *sh.SNR) { q.SupportedFeatures = feature })
	watch("a second thing", sh.Success, a, public, sh.ReferenceSCSCFName)
	watch("a third one, which is too many", sh.UnableToComply, a, public, sh.ReferenceCharging)
	watch("no more", sh.Success, a, public, sh.ReferenceIMSUserState, unsubscribe)
	watch("no more, of what is not watched", sh.Success, a, public, sh.ReferenceIMSUserState, unsubscribe)
	watch("now there is room", sh.Success, a, public, sh.ReferenceCharging)

	execute(t, h.database(), "ALTER TABLE repository_data RENAME TO ill")
	read("the store is ill", sh.UnableToComply, a, public, 0, func(q *sh.UDR) { q.Services = []string{"one"} })
	write("the store is ill", sh.UnableToComply, a, public, repository("one", 2, "<x/>"))
	watch("the store is ill", sh.UnableToComply, a, public, 0, func(q *sh.SNR) { q.Services = []string{"one"} })

	for command, results := range shResults {
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
