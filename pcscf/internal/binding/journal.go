package binding

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims/emergency"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Keeper saves registered bindings across restarts.
type Keeper interface {
	Keep(Kept)
	Forget(token string)
}

// Kept is a binding as a Keeper saves it, with endpoints by name.
type Kept struct {
	Token        string         `json:"token"`
	Private      string         `json:"private"`
	Contact      string         `json:"contact"`
	Instance     string         `json:"instance,omitempty"`
	Identities   []string       `json:"identities"`
	ServiceRoute []string       `json:"service_route"`
	Expires      time.Time      `json:"expires"`
	Endpoint     string         `json:"endpoint"`
	Server       string         `json:"server,omitempty"`
	Transport    string         `json:"transport"`
	Remote       netip.AddrPort `json:"remote"`
	TakesTCP     bool           `json:"takes_tcp,omitempty"`
	ToContact    bool           `json:"to_contact,omitempty"`
	CallID       string         `json:"call_id,omitempty"`
	CSeq         uint32         `json:"cseq,omitempty"`
}

func (b *Binding) kept() Kept {
	k := Kept{
		Token: b.Token, Private: b.Private, Contact: b.Contact, Instance: b.Instance, Identities: b.Identities,
		ServiceRoute: b.ServiceRoute, Expires: b.Expires,
		Endpoint: b.Flow.Endpoint.Name(), Transport: b.Flow.Transport, Remote: b.Flow.Remote, TakesTCP: b.Flow.TakesTCP, ToContact: b.ToContact,
		CallID: b.CallID, CSeq: b.CSeq,
	}
	if b.Flow.Server != nil {
		k.Server = b.Flow.Server.Name()
	}

	return k
}

// Restore returns the saved binding. That of a handset that had opened a connection in clear is not restored: the connection is gone.
func (k Kept) Restore(endpoint func(name string) *stack.Endpoint) (*Binding, error) {
	flow := stack.Flow{Endpoint: endpoint(k.Endpoint), Transport: k.Transport, Remote: k.Remote, TakesTCP: k.TakesTCP}

	if k.Server != "" {
		flow.Server = endpoint(k.Server)
	}

	switch {
	case time.Until(k.Expires) <= 0:
		return nil, fmt.Errorf("it ended at %s", k.Expires.UTC().Format(time.RFC3339))
	case flow.Endpoint == nil || k.Server != "" && flow.Server == nil:
		return nil, fmt.Errorf("its endpoint %s is not there any more", k.Endpoint)
	case k.Server == "" && k.Transport == "TCP":
		return nil, fmt.Errorf("its connection is gone")
	case k.Token == "" || !k.Remote.IsValid():
		return nil, fmt.Errorf("it is not complete")
	}

	flow.Local = flow.Endpoint.Address()

	return &Binding{
		Token:        k.Token,
		Private:      k.Private,
		Contact:      k.Contact,
		Instance:     k.Instance,
		Flow:         flow,
		ToContact:    k.ToContact,
		Identities:   k.Identities,
		ServiceRoute: k.ServiceRoute,
		Expires:      k.Expires,
		Registered:   true,
		Emergency:    emergency.Contact(k.Contact),
		Restored:     time.Now(),
		CallID:       k.CallID,
		CSeq:         k.CSeq,
	}, nil
}
