package session

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
	switch name {
	case e.user(sip.Caller):
		return sip.Caller, true
	case e.user(sip.Callee):
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

// towardsCaller gives the caller's side its own entry in the Record-Route of a response.
func (c *call) towardsCaller(r *sip.Response) {
	values := sip.Values(r, "Record-Route")

	at := slices.IndexFunc(values, func(value string) bool { return strings.Contains(value, c.entry.user(sip.Callee)) })
	if at < 0 {
		return
	}

	values[at] = "<" + c.server.Endpoint.URI(c.entry.user(sip.Caller)) + ">"

	sip.Remove(r, "Record-Route")

	for _, value := range values {
		sip.Add(r, "Record-Route", value)
	}
}

// misplaced reports whether a request says by its tags that it is of one side of a call, and by its Route that it comes from the other:
// a BYE of the caller's, or of a friend's, in the name of a callee who would go on talking.
func (s *Server) misplaced(own []sip.NameAddr, r *sip.Request) bool {
	for _, route := range own {
		u, err := sip.ParseURI(route.URI)
		if err != nil {
			continue
		}

		if c := s.find(tokenOf(u.User)); c != nil && !c.admits(u.User, r) {
			return true
		}
	}

	return false
}

// admits reports whether a request with this entry in Route may be what it says that it is.
func (c *call) admits(user string, r *sip.Request) bool {
	if c.entry.marks == [2]string{} {
		return true
	}

	side, known := c.entry.side(user)
	from, within := c.sender(r)

	return known && (!within || from == side)
}

// sender is who sent a request within the call, by its tags.
func (c *call) sender(r *sip.Request) (sip.Side, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()

	if dialog := c.dialogOf(r); dialog != nil && dialog.Has(r) {
		return dialog.From(r)
	}

	if c.invite == nil || r.CallID().Value() != c.invite.CallID().Value() {
		return 0, false
	}

	caller, _ := c.invite.From().Params.Get("tag")
	if tag, _ := r.From().Params.Get("tag"); tag == caller {
		return sip.Caller, true
	}

	return sip.Callee, true
}
