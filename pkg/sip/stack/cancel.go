package stack

import (
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// newAck returns the ACK of a final response that is not a 2xx (§17.1.1.3): with the INVITE's top Via alone, and its Route.
func newAck(invite *sip.Request, r *sip.Response) *sip.Request {
	ack := derived(invite, "ACK")
	ack.ReplaceHeader(r.To())

	return ack
}

// newCancel returns the CANCEL of an INVITE (§9.1), with the header fields that say why.
func newCancel(invite *sip.Request, why []sip.Header) *sip.Request {
	cancel := derived(invite, "CANCEL")
	for _, h := range why {
		cancel.AppendHeader(h)
	}

	return cancel
}

// travelling has the header fields of a CANCEL that say why it was sent, and for which session (RFC 3326, RFC 4412, RFC 7989). CANCEL
// ends at each hop; they are copied to the next hop's: by them a handset shows that a call was answered elsewhere or preempted.
var travelling = [...]string{"reason", "resource-priority", "session-id"}

const maxTravelling = 1000 // octets, because CANCEL goes over UDP where its INVITE did

func cancelReason(cancel *sip.Request) (why []sip.Header) {
	left := maxTravelling

	for _, h := range cancel.Headers() {
		for _, name := range travelling {
			if size := len(h.Name()) + len(h.Value()); strings.EqualFold(h.Name(), name) && size <= left {
				left -= size
				why = append(why, h)
			}
		}
	}

	return why
}

// elsewhere returns the Reason for the callees whose call another one took (RFC 3326 §3.1).
func elsewhere() sip.Header { return sip.StatusReason(200, "Call completed elsewhere").Header() }

func derived(invite *sip.Request, method string) *sip.Request {
	r := sip.EmptyRequest(method, invite.Recipient)
	r.AppendHeader(invite.Via().Clone())

	for _, route := range invite.GetHeaders("Route") {
		r.AppendHeader(route)
	}

	forwards := sip.MaxForwardsHeader(70)
	r.AppendHeader(&forwards)
	r.AppendHeader(invite.From())
	r.AppendHeader(invite.To())
	r.AppendHeader(invite.CallID())
	r.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: r.Method})
	r.SetBody(nil)

	return r
}
