package call

import (
	"crypto/rand"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// entryPrefix is how the user part of a call's Record-Route entries begins.
const entryPrefix = "call-"

// entries are the user parts of a call's two Record-Route entries. The callee's side gets one in the request, the caller's side the
// other one in the responses (RFC 3261 §16.7 step 8). Neither side knows the other's, so that the entry in the Route of a request
// within the call shows which side it comes from, whatever its tags say and whichever P-CSCF passed it on.
type entries struct {
	token string
	marks [2]string // by sip.Side; "" in a call of a process that did not have them
}

func newEntries() entries {
	const bits65 = 13 // characters of rand.Text

	return entries{entryPrefix + rand.Text()[:bits65], [2]string{rand.Text()[:bits65], rand.Text()[:bits65]}}
}

// user is the user part of the entry for the requests of one side.
func (e entries) user(side sip.Side) string { return e.token + "-" + e.marks[side] }

// side is whose requests have an entry with this user part in Route.
func (e entries) side(name string) (sip.Side, bool) {
	switch {
	case e.marks == [2]string{}:
		return 0, false
	case name == e.user(sip.Caller):
		return sip.Caller, true
	case name == e.user(sip.Callee):
		return sip.Callee, true
	default:
		return 0, false
	}
}

// tokenOf is the call's token in the user part of an entry.
func tokenOf(user string) string {
	random, found := strings.CutPrefix(user, entryPrefix)
	if !found {
		return ""
	}

	random, _, _ = strings.Cut(random, "-")

	return entryPrefix + random
}

// RecordRoute is the call's entry for its INVITE: a URI.
func (c *Call) RecordRoute() string { return c.table.endpoint.URI(c.entry.user(sip.Callee)) }

// TowardsCaller gives the caller's side its own entry in the Record-Route of a response.
func (c *Call) TowardsCaller(r *sip.Response) {
	values := sip.Values(r, "Record-Route")

	at := slices.IndexFunc(values, func(value string) bool { return strings.Contains(value, c.entry.user(sip.Callee)) })
	if at < 0 {
		return
	}

	values[at] = "<" + c.table.endpoint.URI(c.entry.user(sip.Caller)) + ">"

	sip.Remove(r, "Record-Route")

	for _, value := range values {
		sip.Add(r, "Record-Route", value)
	}
}
