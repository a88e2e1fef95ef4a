package stack

import (
	"strconv"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// serverKey returns the key of a request's server transaction (RFC 3261 §17.2.3): the branch, the sender, and the method, where an ACK
// belongs to its INVITE. A branch without the magic cookie is completed by the header fields that RFC 2543 matched by.
func serverKey(r *sip.Request) string {
	method := string(r.Method)
	if r.IsAck() {
		method = "INVITE"
	}

	return requestKey(r, method)
}

// inviteKey returns the key of the INVITE transaction that a CANCEL means (§9.2).
func inviteKey(cancel *sip.Request) string { return requestKey(cancel, "INVITE") }

func requestKey(r *sip.Request, method string) string {
	via := r.Via()
	branch, _ := via.Params.Get("branch")

	var b strings.Builder

	b.WriteString(branch)
	b.WriteByte('|')
	b.WriteString(strings.ToLower(via.Host))
	b.WriteByte(':')
	b.WriteString(strconv.Itoa(via.Port))
	b.WriteByte('|')
	b.WriteString(method)

	if len(branch) <= len(sip.MagicCookie) || !strings.HasPrefix(branch, sip.MagicCookie) {
		tag, _ := r.From().Params.Get("tag")
		b.WriteByte('|')
		b.WriteString(r.Recipient.String())
		b.WriteByte('|')
		b.WriteString(r.CallID().Value())
		b.WriteByte('|')
		b.WriteString(tag)
		b.WriteByte('|')
		b.WriteString(strconv.FormatUint(uint64(r.CSeq().SeqNo), 10))
	}

	return b.String()
}

// clientKey returns the key of a response's client transaction (§17.1.3).
func clientKey(r *sip.Response) string {
	branch, _ := r.Via().Params.Get("branch")

	return branch + "|" + string(r.CSeq().MethodName)
}
