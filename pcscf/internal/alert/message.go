package alert

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// Messages is how MESSAGEs are sent.
type Messages struct {
	Stack        *stack.Stack
	Endpoint     *stack.Endpoint // towards the core
	HomeDomain   string
	Interrogator string // SIP URI of the I-CSCF, for users of the home network
}

// messenger sends a MESSAGE (RFC 3428) for each call.
type messenger struct {
	Messages
	to string
}

// patience is longer than the transaction (timer F, 32 s): a MESSAGE given up before might come twice.
func (m *messenger) patience() time.Duration { return 40 * time.Second }

func (m *messenger) deliver(ctx context.Context, c Call) error {
	r, next, err := m.request(c)
	if err != nil {
		return hopeless{err}
	}

	targets, err := m.Stack.Resolver().Resolve(ctx, next)
	if err != nil {
		return err
	}

	response, err := m.Stack.Do(ctx, r, stack.Destination{Endpoint: m.Endpoint, Targets: targets})
	if err != nil {
		return err
	}

	err = fmt.Errorf("the MESSAGE is answered %d %s", response.StatusCode, strings.Join(sip.Values(response, "Reason"), ", "))

	switch {
	case response.IsSuccess():
		return nil
	case response.StatusCode == 408 || response.StatusCode == 480 || response.StatusCode/100 == 5: // of somebody who may come back
		return err
	default:
		return hopeless{err}
	}
}

// request returns the MESSAGE, and where it goes: users of the home network and numbers are the I-CSCF's concern.
func (m *messenger) request(c Call) (r *sip.Request, next sip.Uri, err error) {
	if r, err = sip.NewRequest("MESSAGE", m.to); err != nil {
		return nil, next, err
	}

	next = r.Recipient
	if next.Scheme == "tel" || strings.EqualFold(next.Host, m.HomeDomain) {
		if next, err = sip.ParseURI(m.Interrogator); err != nil {
			return nil, next, err
		}
	}

	own := "sip:" + m.Endpoint.Address().String()
	if _, err := sip.Complete(r, "<"+own+">;tag="+sip.NewTag(), "<"+m.to+">", sip.NewCallID(), 1); err != nil {
		return nil, next, err
	}

	sip.Set(r, "P-Asserted-Identity", "<"+own+">")
	sip.Set(r, "P-Charging-Vector", ims.ChargingVector{ICID: ims.NewICID(), OriginatingIOI: m.HomeDomain}.String())
	sip.Set(r, "Content-Type", "text/plain;charset=UTF-8")
	r.SetBody([]byte(text(c)))

	return r, next, nil
}

// text returns what a person reads.
func text(c Call) string {
	var b strings.Builder

	fmt.Fprintf(&b, "Emergency call (%s) at %s", c.Service, c.Time.Format("15:04:05 MST"))

	for _, part := range []struct{ title, value string }{
		{"from", c.Public}, {"handset", c.Handset}, {"address", c.Source}, {"cell", c.Access}, {"refused:", c.Refused},
	} {
		if part.value != "" {
			fmt.Fprintf(&b, ", %s %s", part.title, part.value)
		}
	}

	return b.String()
}

// Validate returns an error if nobody could be told.
func (c Config) Validate() error {
	var err error

	if c.Webhook != "" {
		err = validWebhook(c.Webhook)
	}

	if c.Message == "" {
		return err
	}

	if u, failed := sip.ParseURI(c.Message); failed != nil || u.Scheme != "sip" && u.Scheme != "tel" || u.Scheme == "sip" && u.Host == "" {
		err = errors.Join(err, fmt.Errorf("emergency.alert.message: %q is no sip or tel URI", c.Message))
	}

	return err
}
