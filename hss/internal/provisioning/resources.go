package provisioning

import (
	"net/http"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/records"
)

var (
	limit  = httpapi.Limit(100, 1000)
	after  = httpapi.Text("after", "name of a subscriber: those behind it")
	before = httpapi.Parameter{Name: "before", Summary: "number of a push: those older than it", Number: true, Least: 1, Most: 1<<63 - 1}

	byIMSI     = httpapi.Text("imsi", "whose IMSI it is")
	byMSISDN   = httpapi.Text("msisdn", "whose MSISDN it is")
	byPrivate  = httpapi.Text("private_identity", "whose private identity it is")
	byIdentity = httpapi.Text("identity", "what is meant by an IMSI, a user name, an MSISDN, tel:, sip: or user@domain")
	byPublic   = httpapi.Text("public_identity", "whose public identity it is")

	reason = httpapi.Parameter{
		Name: "reason", Summary: "Reason-Code of the RTR (TS 29.229 §6.3.17); permanent_termination if not given",
		Values: []string{"permanent_termination", "server_change", "remove_s-cscf"},
	}
	info = httpapi.Text("info", "Reason-Info of the RTR")

	existing = httpapi.Parameter{
		Name: "existing", Summary: "what becomes of a subscriber whose private identity or IMSI is there already; refuse if not given",
		Values: []string{"refuse", skip},
	}
)

// skip is the value of existing that passes over subscribers.
const skip = "skip"

// resources returns the resources of the API.
func (a *API) resources() []httpapi.Resource {
	const (
		conflict = http.StatusConflict
		unknown  = http.StatusNotFound
		invalid  = http.StatusUnprocessableEntity
	)

	made := func(v any) []httpapi.Answer { return []httpapi.Answer{{Status: http.StatusCreated, Body: v}} }
	put := func(v any) []httpapi.Answer { return append(httpapi.OK(v), made(v)...) }
	none := httpapi.NoContent()

	return []httpapi.Resource{
		{
			Pattern: "GET /subscribers", Summary: "subscribers by name, those that the parameters select",
			Query:   []httpapi.Parameter{byIMSI, byMSISDN, byPrivate, byPublic, after, limit},
			Answers: []httpapi.Answer{{Status: http.StatusOK, Body: SubscriberList{}, Lists: true}}, Handler: a.listSubscribers,
		},
		{
			Pattern: "POST /subscribers", Summary: "adds a subscriber", Body: NewSubscriber{},
			Answers: made(Subscriber{}), Refuses: []int{conflict, invalid}, Handler: a.createSubscriber,
		},
		{
			Pattern: "POST /subscribers/bulk", Summary: "adds up to 500 subscribers, all or none", Body: []NewSubscriber{},
			Query:   []httpapi.Parameter{existing},
			Answers: made(records.Added{}), Refuses: []int{conflict, invalid}, Handler: a.createSubscribers,
		},
		{
			Pattern: "GET /subscribers/{name}", Summary: "a subscriber, without secrets",
			Answers: httpapi.OK(Subscriber{}), Refuses: []int{unknown}, Handler: a.readSubscriber,
		},
		{
			Pattern: "PUT /subscribers/{name}", Summary: "makes a subscriber what the body says; secrets left out stay", Body: Subscriber{},
			Answers: httpapi.OK(Subscriber{}), Refuses: []int{unknown, conflict, invalid}, Handler: a.replaceSubscriber,
		},
		{
			Pattern: "DELETE /subscribers/{name}", Summary: "deletes a subscriber, with an RTR to its S-CSCF and a CLR to its MME",
			Answers: none, Refuses: []int{unknown}, Handler: a.deleteSubscriber,
		},
		{
			Pattern: "GET /subscribers/{name}/registration", Summary: "where a subscriber is registered",
			Answers: httpapi.OK(RegistrationState{}), Refuses: []int{unknown}, Handler: a.readRegistration,
		},
		{
			Pattern: "DELETE /subscribers/{name}/registration", Summary: "ends the registration, with an RTR",
			Query:   []httpapi.Parameter{reason, info},
			Answers: []httpapi.Answer{{Status: http.StatusAccepted}}, Refuses: []int{unknown, conflict}, Handler: a.endRegistration,
		},
		{
			Pattern: "GET /subscribers/{name}/public-identities", Summary: "a subscriber's public identities, with their sets",
			Answers: httpapi.OK(publicIdentityList{}), Refuses: []int{unknown}, Handler: a.listPublic,
		},
		{
			Pattern: "GET /subscribers/{name}/public-identities/{identity}", Summary: "a public identity",
			Answers: httpapi.OK(PlacedIdentity{}), Refuses: []int{unknown, invalid}, Handler: a.readPublic,
		},
		{
			Pattern: "PUT /subscribers/{name}/public-identities/{identity}", Summary: "makes or changes a public identity",
			Body: PlacedIdentity{}, Answers: put(PlacedIdentity{}), Refuses: []int{unknown, conflict, invalid}, Handler: a.putPublic,
		},
		{
			Pattern: "DELETE /subscribers/{name}/public-identities/{identity}", Summary: "deletes a public identity",
			Answers: none, Refuses: []int{unknown, invalid}, Handler: a.deletePublic,
		},
		{
			Pattern: "GET /subscribers/{name}/private-identities/{identity}/keys", Summary: "the secrets of a private identity",
			Answers: httpapi.OK(Keys{}), Refuses: []int{unknown}, Handler: a.readKeys,
		},
		{
			Pattern: "PUT /subscribers/{name}/private-identities/{identity}/keys", Summary: "changes the secrets that the body names",
			Body: Authentication{}, Answers: none, Refuses: []int{unknown, conflict, invalid}, Handler: a.putKeys,
		},
		{
			Pattern: "GET /service-profiles", Summary: "all service profiles", Answers: httpapi.OK(ProfileList{}), Handler: a.listProfiles,
		},
		{
			Pattern: "GET /service-profiles/{name}", Summary: "a service profile, as XML if that is what Accept says",
			Answers: append(httpapi.OK(ServiceProfile{}), httpapi.Answer{Status: http.StatusOK, Type: xmlType}),
			Refuses: []int{unknown}, Handler: a.readProfile,
		},
		{
			Pattern: "PUT /service-profiles/{name}", Summary: "makes or changes a service profile; PPR to the S-CSCFs of its users",
			Body: ServiceProfile{}, XML: true, Answers: put(ServiceProfile{}), Refuses: []int{invalid}, Handler: a.putProfile,
		},
		{
			Pattern: "DELETE /service-profiles/{name}", Summary: "deletes a service profile that no identity uses",
			Answers: none, Refuses: []int{unknown, conflict}, Handler: a.deleteProfile,
		},
		{
			Pattern: "GET /shared-filter-criteria", Summary: "all shared iFC sets", Answers: httpapi.OK(SharedSetList{}), Handler: a.listShared,
		},
		{
			Pattern: "GET /shared-filter-criteria/{number}", Summary: "a shared iFC set",
			Answers: httpapi.OK(SharedSet{}), Refuses: []int{unknown, invalid}, Handler: a.readShared,
		},
		{
			Pattern: "PUT /shared-filter-criteria/{number}", Summary: "makes or changes a shared iFC set; PPR as of a profile",
			Body: SharedSet{}, XML: true, Answers: none, Refuses: []int{invalid}, Handler: a.putShared,
		},
		{
			Pattern: "DELETE /shared-filter-criteria/{number}", Summary: "deletes a shared iFC set that no profile uses",
			Answers: none, Refuses: []int{unknown, conflict, invalid}, Handler: a.deleteShared,
		},
		{
			Pattern: "GET /pushes", Summary: "RTR, PPR, CLR, IDR, DSR, RSR and PNR, the newest first", Query: []httpapi.Parameter{before, limit},
			Answers: []httpapi.Answer{{Status: http.StatusOK, Body: PushList{}, Lists: true}}, Handler: a.listPushes,
		},
		{
			Pattern: "GET /attempts", Summary: "what handsets have tried of late, the last first", Query: []httpapi.Parameter{byPrivate, byIdentity},
			Answers: httpapi.OK(AttemptList{}), Handler: a.listAttempts,
		},
	}
}
