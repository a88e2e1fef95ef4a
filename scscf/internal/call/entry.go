package call

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// entryPrefix begins the user part of a call's Record-Route entries.
const entryPrefix = "call-"

// entries are the user parts of a call's two Record-Route entries. The callee's side gets one in the request, the caller's side the other
// in the responses (RFC 3261 §16.7 step 8). Neither side knows the other's, so the entry in the Route of a request within the call shows
// which side sent it, whatever its tags say and whichever P-CSCF passed it on.
type entries struct {
	token string
	marks [2]string // by sip.Side; "" in a call of a process that did not have them
}

const bits65 = 13 // characters of rand.Text and of base32

// randomEntries returns entries for an INVITE whose own are taken.
func randomEntries() entries {
	return entries{entryPrefix + rand.Text()[:bits65], [2]string{rand.Text()[:bits65], rand.Text()[:bits65]}}
}

// entriesOf returns the entries of an INVITE. They are the same whenever the INVITE comes, also after a restart: the next hop recognises
// a repeated one by them (stack.Repeated), and a callee that has it already reaches the new call by the Record-Route of the old one.
// Nobody without the secret can compute them.
func entriesOf(secret []byte, invite *sip.Request, p Party) entries {
	h := hmac.New(sha256.New, secret)

	tag, _ := invite.From().Params.Get("tag")
	for _, part := range []string{
		invite.CallID().Value(), tag, strconv.FormatUint(uint64(invite.CSeq().SeqNo), 10), invite.Recipient.String(),
		strconv.Itoa(int(p.Side)), p.Public,
	} {
		_, _ = io.WriteString(h, part+"\x00") // a hash never fails
	}

	text := base32.StdEncoding.EncodeToString(h.Sum(nil))

	return entries{entryPrefix + text[:bits65], [2]string{text[bits65 : 2*bits65], text[2*bits65 : 3*bits65]}}
}

// user returns the user part of the entry for the requests of one side.
func (e entries) user(side sip.Side) string { return e.token + "-" + e.marks[side] }

// side returns the party whose requests have an entry with this user part in Route.
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

// tokenOf returns the call's token in the user part of an entry.
func tokenOf(user string) string {
	random, found := strings.CutPrefix(user, entryPrefix)
	if !found {
		return ""
	}

	random, _, _ = strings.Cut(random, "-")

	return entryPrefix + random
}

// RecordRoute returns the call's entry for its INVITE: a URI.
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
