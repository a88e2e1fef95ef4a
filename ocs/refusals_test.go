package main_test

import (
	"bytes"
	"context"
	wire "encoding/binary"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/trace"
	"github.com/dialtone-ims/dialtone/test/postgres"
)

// Requests that violate RFC 8506 §3.1.
type (
	withoutContext struct {
		diameter.RequestHeader
		Type   ro.RequestType `avp:"CC-Request-Type,required"`
		Number uint32         `avp:"CC-Request-Number,required"`
	}
	withoutNumber struct {
		diameter.RequestHeader
		ServiceContextID string         `avp:"Service-Context-Id,required"`
		Type             ro.RequestType `avp:"CC-Request-Type,required"`
	}
	withoutType struct {
		diameter.RequestHeader
		ServiceContextID string `avp:"Service-Context-Id,required"`
		Number           uint32 `avp:"CC-Request-Number,required"`
	}
	twoNumbers struct {
		withoutContext
		ServiceContextID string `avp:"Service-Context-Id,required"`
		Second           uint32 `avp:"Second-Number,required"`
	}
	strangeAVP struct {
		withoutContext
		ServiceContextID string `avp:"Service-Context-Id,required"`
		Strange          uint32 `avp:"Strange,required"`
	}
	strangeInGroup struct {
		withoutContext
		ServiceContextID string `avp:"Service-Context-Id,required"`
		Service          struct {
			Strange uint32 `avp:"Strange,required"`
		} `avp:"Multiple-Services-Credit-Control,required"`
	}
	longType struct {
		diameter.RequestHeader
		ServiceContextID string `avp:"Service-Context-Id,required"`
		Type             uint64 `avp:"Long-Type,required"`
		Number           uint32 `avp:"CC-Request-Number,required"`
	}
)

func (*withoutContext) Command() diameter.Command { return (*ro.CCR)(nil).Command() }
func (*withoutNumber) Command() diameter.Command  { return (*ro.CCR)(nil).Command() }
func (*withoutType) Command() diameter.Command    { return (*ro.CCR)(nil).Command() }
func (*longType) Command() diameter.Command       { return (*ro.CCR)(nil).Command() }

// misshapen returns Ro as a faulty network function implements it.
func misshapen() diameter.Application {
	own := ro.Application
	own.Dictionary = bytes.Replace(own.Dictionary, []byte("</application>"), []byte(`
		<avp name="Strange" code="59999" must="M"><data type="Unsigned32"/></avp>
		<avp name="Second-Number" code="60415" must="M"><data type="Unsigned32"/></avp>
		<avp name="Long-Type" code="60416" must="M"><data type="Unsigned64"/></avp>
	</application>`), 1)

	return own
}

// topLevel returns the AVPs of a message by code.
func topLevel(message []byte) map[uint32][]byte {
	found := map[uint32][]byte{}
	for b := message[20:]; len(b) >= 8; {
		length := int(wire.BigEndian.Uint32(b[4:]) & 0xFFFFFF)
		found[wire.BigEndian.Uint32(b)] = b[8:length]
		b = b[min(len(b), (length+3)&^3):]
	}

	return found
}

// TestRefusalsOfTheDecoder: RFC 8506 §3.2 requires an answer to identify its request, even when refusing a request that could not be
// parsed, as far as it could be.
func TestRefusalsOfTheDecoder(t *testing.T) {
	o := run(t, "DIALTONE_OCS_DIAMETER_ALLOW_UNKNOWN_PEERS=true")
	o.provision(1000, perSecond)

	var (
		mu     sync.Mutex
		answer []byte
	)

	// The codes 60415 and 60416 are those of the request number and type on the wire.
	rewrite := func(m trace.Message) {
		if !m.Sent && len(m.Data) > 20 && m.Data[7] == 16 {
			mu.Lock()
			defer mu.Unlock()
			answer = bytes.Clone(m.Data)
		}
	}

	c := diameter.DefaultConfig("strange."+realm, realm)
	c.Peers = []diameter.Peer{{Host: "ocs." + realm, Realm: realm, Address: o.ro}}
	node, err := diameter.New(c, []diameter.Application{misshapen()}, diameter.Options{Tap: rewrite, Dial: rewriting})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = node.Run(ctx) }()
	defer func() { cancel(); <-done }()
	o.await("the strange peer to be connected", func() bool { return node.Ready() == nil })

	header := diameter.RequestHeader{SessionID: "x;1"}
	whole := func(session string) *ro.CCR {
		return &ro.CCR{
			RequestHeader:    diameter.RequestHeader{SessionID: session},
			ServiceContextID: ro.ServiceContextIMS,
			Type:             ro.Update,
			Number:           7,
		}
	}
	basis := withoutContext{RequestHeader: header, Type: ro.Update, Number: 7}

	const (
		number, kind = 415, 416
	)

	for _, test := range []struct {
		name   string
		send   func() (*credit.Answer, error)
		want   diameter.Result
		echoed []uint32
		failed uint32
	}{
		{
			name:   "RFC 6733 §7.1.5 Service-Context-Id is missing",
			send:   sender(ctx, node, &basis),
			want:   ro.MissingAVP,
			echoed: []uint32{number, kind},
			failed: 461,
		},
		{
			name:   "CC-Request-Number is missing",
			send:   sender(ctx, node, &withoutNumber{header, ro.ServiceContextIMS, ro.Update}),
			want:   ro.MissingAVP,
			echoed: []uint32{kind},
			failed: number,
		},
		{
			name:   "CC-Request-Type is missing",
			send:   sender(ctx, node, &withoutType{header, ro.ServiceContextIMS, 7}),
			want:   ro.MissingAVP,
			echoed: []uint32{number},
			failed: kind,
		},
		{
			name:   "CC-Request-Type does not exist",
			send:   sender(ctx, node, &ro.CCR{RequestHeader: header, ServiceContextID: ro.ServiceContextIMS, Type: 9, Number: 7}),
			want:   ro.InvalidAVPValue,
			echoed: []uint32{number, kind},
			failed: kind,
		},
		{
			name:   "CC-Request-Type of eight octets",
			send:   sender(ctx, node, &longType{header, ro.ServiceContextIMS, 2, 7}),
			want:   diameter.InvalidAVPLength,
			echoed: []uint32{number},
			failed: kind,
		},
		{
			name:   "CC-Request-Number comes twice",
			send:   sender(ctx, node, &twoNumbers{basis, ro.ServiceContextIMS, 8}),
			want:   diameter.AVPOccursTooManyTimes,
			echoed: []uint32{number, kind},
			failed: number,
		},
		{
			name:   "RFC 8506 §3.1 Auth-Application-Id is missing",
			send:   sender(ctx, node, whole("x;none")),
			want:   ro.MissingAVP,
			echoed: []uint32{number, kind},
			failed: 258,
		},
		{
			name:   "it is that of another application",
			send:   sender(ctx, node, whole("x;other")),
			want:   ro.InvalidAVPValue,
			echoed: []uint32{number, kind},
			failed: 258,
		},
		{
			name:   "an AVP is mandatory and unknown",
			send:   sender(ctx, node, &strangeAVP{basis, ro.ServiceContextIMS, 1}),
			want:   diameter.AVPUnsupported,
			echoed: []uint32{number, kind},
			failed: 59999,
		},
		{
			name:   "and so within a group",
			send:   sender(ctx, node, &strangeInGroup{withoutContext: basis, ServiceContextID: ro.ServiceContextIMS}),
			want:   diameter.AVPUnsupported,
			echoed: []uint32{number, kind},
			failed: 456,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, err := test.send()
			if err != nil {
				t.Fatal(err)
			}
			if a.Result != test.want || !strings.HasPrefix(a.SessionID, "x;") {
				t.Errorf("%v for %q, want %v", a.Result, a.SessionID, test.want)
			}

			mu.Lock()
			defer mu.Unlock()
			found := topLevel(answer)
			for _, code := range []uint32{number, kind} {
				if _, there := found[code]; there != slices.Contains(test.echoed, code) {
					t.Errorf("AVP %d in the answer: %v", code, there)
				}
			}
			if slices.Contains(test.echoed, uint32(number)) && wire.BigEndian.Uint32(found[number]) != 7 {
				t.Errorf("CC-Request-Number %x, want 7", found[number])
			}
			if application := found[258]; len(application) != 4 || application[3] != 4 {
				t.Errorf("Auth-Application-Id %x, want 4", application)
			}
			if failed := found[279]; len(failed) < 8 || wire.BigEndian.Uint32(failed) != test.failed {
				t.Errorf("Failed-AVP %x, want AVP %d in it", failed, test.failed)
			}
		})
	}

	if got := o.account(); got != (state{1000, 0}) {
		t.Errorf("%+v: money has moved", got)
	}
	if _, text := o.get("/metrics"); !strings.Contains(text, `dialtone_diameter_malformed_total`) {
		t.Error("what cannot be read is not counted")
	}
}

func sender[Q any, PQ diameter.Typed[Q]](ctx context.Context, n *diameter.Node, q *Q) func() (*credit.Answer, error) {
	return func() (*credit.Answer, error) {
		copied := *q
		return diameter.Call[credit.Answer, Q, *credit.Answer, PQ](ctx, n, &copied)
	}
}

// TestDataThatCannotBeKept: data that PostgreSQL cannot store is refused in the same way on both stores, and named.
func TestDataThatCannotBeKept(t *testing.T) {
	random := func(n int) string { // nothing can compress it
		text := make([]byte, n)
		source := rand.New(rand.NewPCG(1, 2))
		for i := range text {
			text[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ;."[source.IntN(64)]
		}
		return string(text)
	}
	called := func(number string) *ro.CCR {
		q := ccr("nf;"+number, ro.Initial, 0, seconds(1), nil)
		q.SessionID, q.ServiceInformation.IMS.CalledPartyAddress = "nf;called", number
		return q
	}
	payer := func(data string) *ro.CCR {
		q := ccr("nf;payer", ro.Initial, 0, seconds(1), nil)
		q.Subscriptions[0] = ro.SubscriptionID{Type: ro.SIPURI, Data: data}
		return q
	}

	const sessionID, calledParty, serviceInformation, subscription, dsn = 263, 832, 873, 443, "DIALTONE_OCS_DSN="
	for store, environment := range map[string][]string{"sqlite": nil, "postgres": {dsn + postgres.Database(t)}} {
		t.Run(store, func(t *testing.T) {
			o := run(t, environment...)
			o.provision(1000, perSecond)

			for name, test := range map[string]struct {
				q      *ro.CCR
				want   diameter.Result
				failed uint32
			}{
				"a long Session-Id":             {ccr("nf;"+random(2000), ro.Initial, 0, seconds(1), nil), ro.Success, 0},
				"a Session-Id of 2.7 kB":        {ccr("nf;"+random(2700), ro.Initial, 0, seconds(1), nil), ro.InvalidAVPValue, sessionID},
				"one that can be compressed":    {ccr("nf;"+strings.Repeat("1", 2700), ro.Initial, 0, seconds(1), nil), ro.InvalidAVPValue, sessionID},
				"NUL in a Session-Id":           {ccr("nf;\x001", ro.Initial, 0, seconds(1), nil), ro.InvalidAVPValue, sessionID},
				"and in an Update":              {ccr("nf;\x001", ro.Update, 1, seconds(1), nil), ro.InvalidAVPValue, sessionID},
				"NUL in a called number":        {called("tel:+1555\x00"), ro.InvalidAVPValue, calledParty},
				"a called number of no letters": {called("tel:+1555\xff"), ro.InvalidAVPValue, serviceInformation}, // the decoder finds it,
				"NUL in who pays":               {payer("sip:a\x00@example.org"), ro.InvalidAVPValue, subscription},
			} {
				a := o.send(test.q)
				failed := topLevel(o.lastAnswer())[279]
				if a.Result != test.want || test.failed != 0 && (len(failed) < 8 || wire.BigEndian.Uint32(failed) != test.failed) {
					t.Errorf(
						"%s: %v %s, Failed-AVP %x, want %v with AVP %d",
						name,
						a.Result,
						a.ErrorMessage,
						failed[:min(len(failed), 40)],
						test.want,
						test.failed,
					)
				}
			}

			for path, body := range map[string]any{
				"/accounts/%00/top-up":    map[string]any{"amount": 1},
				"/accounts":               map[string]any{"name": "a\x00"},
				"/accounts/alice/top-up":  map[string]any{"amount": 1, "note": "\x00"},
				"/accounts/alice/top-up?": map[string]any{"amount": 1, "reference": random(2700)},
			} {
				err := o.api.Do(t.Context(), "POST", path, body, nil)
				var problem *httpapi.Error
				if !errors.As(err, &problem) || problem.Status != http.StatusBadRequest {
					t.Errorf("%s %v: %v, want 400", path, body, err)
				}
			}
			o.account()
		})
	}
}
