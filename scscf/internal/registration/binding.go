package registration

import (
	"strconv"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
)

// Binding is one registered contact. It is never changed.
type Binding struct {
	Contact    string    `json:"contact,omitempty"`  // URI as written
	Params     string    `json:"params,omitempty"`   // parameters of the Contact header without expires and q: ";+sip.instance=…"
	Path       []string  `json:"path,omitempty"`     // Path header values of the REGISTER, topmost first: the Route towards the handset
	Private    string    `json:"private,omitempty"`  // private identity that registered it
	Identity   string    `json:"identity,omitempty"` // public identity in the REGISTER's To
	Instance   string    `json:"instance,omitempty"` // +sip.instance, without quotes
	CallID     string    `json:"call_id,omitempty"`  // of the REGISTER
	CSeq       uint32    `json:"cseq,omitempty"`
	RegID      uint32    `json:"reg_id,omitempty"` // 0: none (RFC 5626)
	ID         uint32    `json:"id,omitempty"`     // identifies the contact in the reg event
	Q          uint16    `json:"q,omitempty"`      // thousandths
	Expires    time.Time `json:"expires"`
	Registered time.Time `json:"registered"` // when it was first made
}

// Emergency reports whether the contact is for emergency calls alone (TS 24.229 §5.4.8).
func (b *Binding) Emergency() bool { return emergency.Contact(b.Contact) }

// Header returns the binding as a Contact value in a response.
func (b *Binding) Header(now time.Time) string {
	var text strings.Builder

	text.WriteByte('<')
	text.WriteString(b.Contact)
	text.WriteByte('>')
	text.WriteString(b.Params)

	if b.Q != 1000 {
		text.WriteString(";q=" + b.q())
	}

	left := max(0, b.Expires.Sub(now).Round(time.Second))
	text.WriteString(";expires=" + strconv.Itoa(int(left/time.Second)))

	return text.String()
}

func (b *Binding) q() string { return strconv.FormatFloat(float64(b.Q)/1000, 'f', -1, 64) }

// ContactEvent is the event of a contact (RFC 3680 §5.3).
type ContactEvent string

// The events of RFC 3680 §5.3.
const (
	ContactRegistered   ContactEvent = "registered"
	ContactCreated      ContactEvent = "created" // through another identity of the set
	ContactRefreshed    ContactEvent = "refreshed"
	ContactShortened    ContactEvent = "shortened"
	ContactExpired      ContactEvent = "expired"
	ContactDeactivated  ContactEvent = "deactivated" // by the network; the handset should register again
	ContactUnregistered ContactEvent = "unregistered"
	ContactRejected     ContactEvent = "rejected" // by the network, for good
)

// ContactChange is one contact with its event.
type ContactChange struct {
	Binding *Binding
	Event   ContactEvent
}

// Ended reports whether the contact is gone after the event.
func (e ContactEvent) Ended() bool {
	return e == ContactExpired || e == ContactDeactivated || e == ContactUnregistered || e == ContactRejected
}
