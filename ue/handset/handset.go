// Package handset is a simulated VoLTE handset: a SIM, a SIP stack with its own address, registration by AKA, calls and messages (TS 24.229
// §5.1). The lab, the tests and the load generator use it.
package handset

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
	"github.com/dialtone-ims/dialtone/pkg/trace"
)

// Config is the identity and location of the handset.
type Config struct {
	IMSI      string
	Domain    string // home network domain
	K, OPc    [16]byte
	SQN       aka.SQN // highest that the SIM has accepted
	Address   netip.AddrPort
	Proxy     netip.AddrPort // P-CSCF
	Transport string         // "UDP" or "TCP"
	Expires   uint32         // requested, in seconds
	Access    string         // P-Access-Network-Info
	Timers    stack.Timers   // zero: the specification's
	SizeLimit int            // octets; a larger request goes over TCP (RFC 3261 §18.1.1); 0: none does
	Log       *slog.Logger
	Tap       trace.Tap
	Instance  string // permanent URN of the handset (RFC 5626 §4.1), as Instance returns; "": a new one each time
	// Emergency makes its registration one for emergency calls (TS 24.229 §5.1.6.2).
	Emergency bool
	// Unregistered makes it call without a registration, as a handset without a SIM calls for help (TS 24.229 §5.1.6.8.2).
	Unregistered bool
	// Alter changes each request outside a dialog before it leaves: for handsets that misbehave on purpose.
	Alter func(*sip.Request)
	// Answer likewise changes the 200 to a call.
	Answer func(*sip.Response)
	// Security, when set, protects the registration and everything after it by IPsec.
	Security *Security
	Network  stack.Network // nil: the machine's
	// Say, when set, is called with what the handset waits for if an answer takes long, and with the progress of its calls.
	Say func(string)
	// Reserve, when set, makes calls insist on a dedicated bearer (RFC 3312): it returns when the handset has it, or cannot get it.
	Reserve func(context.Context) error
	// CancelTime is how long to wait for a cancelled call; 0: 64*T1, as in RFC 3261 §9.1.
	CancelTime time.Duration
}

// Handset is one simulated handset. Its methods may be called from any goroutine.
type Handset struct {
	config   Config
	stack    *stack.Stack
	endpoint *stack.Endpoint
	sim      *aka.SIM
	log      *slog.Logger
	private  string
	instance string
	cancel   context.CancelFunc
	gone     <-chan struct{} // closed by Close
	done     chan error
	closing  sync.Once
	closed   error
	guard    *guard // nil without IPsec

	mu       sync.Mutex
	session  registration
	calls    map[string]*Call
	incoming chan *Call
	messages chan Message
}

// Message is a received message (RFC 3428).
type Message struct {
	From string
	Body []byte
}

// Instance returns the IMEI of the simulated handset with this card, as a URN (RFC 7254): a handset that is switched on again replaces its
// own registration.
func Instance(imsi string) string {
	return fmt.Sprintf("urn:gsma:imei:35000000-%06s-0", imsi[max(0, len(imsi)-6):])
}

// New binds the handset's address and begins to serve it until Close.
func New(c Config) (*Handset, error) {
	h := &Handset{
		config: c, log: c.Log, sim: aka.NewSIM(aka.NewMilenage(c.K, c.OPc), aka.DefaultScheme()),
		private: ims.PrivateIdentity(c.IMSI, c.Domain), instance: "<" + c.Instance + ">",
		calls: map[string]*Call{}, incoming: make(chan *Call, 16), messages: make(chan Message, 64),
		done: make(chan error, 1),
	}
	h.sim.SetSQN(c.SQN)

	if c.Instance == "" {
		h.instance = fmt.Sprintf("<urn:uuid:%s>", rand.Text())
	}

	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}

	settings := stack.DefaultConfig(stack.EndpointConfig{Name: "Gm", Address: c.Address.String(), Transports: []string{"udp", "tcp"}})
	settings.UDPSizeLimit = c.SizeLimit

	if c.Timers.T1 > 0 {
		settings.Timers = c.Timers
	}

	stack, err := stack.New(settings, h, stack.Options{Log: h.log, Tap: c.Tap, Network: c.Network})
	if err != nil {
		return nil, err
	}

	h.stack, h.endpoint = stack, stack.Endpoint("Gm")

	ctx, cancel := context.WithCancel(context.Background())
	h.cancel, h.gone = cancel, ctx.Done()

	go func() { h.done <- stack.Run(ctx) }()

	if c.Security != nil {
		if err := h.secure(*c.Security); err != nil {
			_ = h.Close()
			return nil, err
		}
	}

	return h, nil
}

// Close ends the handset at once, like an empty battery.
func (h *Handset) Close() error {
	h.closing.Do(func() {
		h.cancel()

		if h.guard != nil {
			h.closed = h.guard.close()
		}

		h.closed = errors.Join(h.closed, <-h.done)
	})

	return h.closed
}

// Address returns the handset's address.
func (h *Handset) Address() netip.AddrPort { return h.endpoint.Address() }

// SIM returns the handset's card.
func (h *Handset) SIM() *aka.SIM { return h.sim }

// Incoming returns the channel of incoming calls.
func (h *Handset) Incoming() <-chan *Call { return h.incoming }

// Messages returns the channel of received messages.
func (h *Handset) Messages() <-chan Message { return h.messages }

// towards returns the P-CSCF, over the transport of the registration, and through its security associations if there are any.
func (h *Handset) towards() stack.Destination {
	if h.guard != nil {
		if p := h.guard.inUse(); p != nil {
			flow := h.guard.flow(p)
			return stack.Destination{Flow: &flow}
		}
	}

	return stack.Destination{Endpoint: h.endpoint, Targets: []stack.Target{{Transport: h.config.Transport, Addr: h.config.Proxy}}}
}

// contact returns the handset's own URI.
func (h *Handset) contact() string {
	address := h.endpoint.Address()
	if h.guard != nil {
		address = h.guard.server.Address()
	}

	uri := "sip:" + address.String()
	if h.config.IMSI != "" {
		uri = "sip:" + h.config.IMSI + "@" + address.String()
	}

	if h.config.Transport == "TCP" {
		uri += ";transport=tcp"
	}

	if h.config.Emergency {
		uri += ";sos" // TS 24.229 §7.2A.13
	}

	return uri
}

func (h *Handset) contactHeader() string {
	return "<" + h.contact() + `>;+g.3gpp.icsi-ref="urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel";+g.3gpp.smsip;+sip.instance="` +
		h.instance + `"`
}

func (h *Handset) alter(r *sip.Request) {
	if h.config.Alter != nil {
		h.config.Alter(r)
	}
}

// request makes a request outside a dialog. From is this handset's identity.
func (h *Handset) request(method, target, from, to string) (*sip.Request, error) {
	r, err := sip.NewRequest(method, target)
	if err != nil {
		return nil, err
	}

	if _, err := sip.Complete(r, fmt.Sprintf("<%s>;tag=%s", from, sip.NewTag()), "<"+to+">", sip.NewCallID(), 1); err != nil {
		return nil, err
	}

	sip.Add(r, "Contact", h.contactHeader())

	if h.config.Access != "" {
		sip.Add(r, "P-Access-Network-Info", h.config.Access)
	}

	if h.guard != nil {
		h.guard.announce(r, nil, h.guard.inUse())
	}

	return r, nil
}

// HandleRequest serves a request.
func (h *Handset) HandleRequest(ctx context.Context, tx *stack.ServerTransaction) {
	r := tx.Request()

	switch r.Method {
	case "INVITE":
		h.invited(ctx, tx)
	case "BYE":
		h.hungUp(tx)
	case "MESSAGE":
		h.received(tx)
	case "NOTIFY":
		_ = tx.Reply(200, "")
	case "PRACK", "UPDATE", "INFO":
		switch c := h.call(r); {
		case c == nil:
			_ = tx.Reply(481, "")
		case r.Method == "INFO":
			_ = tx.Reply(200, "")
		default:
			c.renegotiated(tx)
		}
	case "OPTIONS":
		_ = tx.Reply(200, "", sip.NewHeader("Allow", allowed))
	default:
		_ = tx.Reply(405, "", sip.NewHeader("Allow", allowed))
	}
}

const allowed = "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE, MESSAGE, NOTIFY, OPTIONS, INFO"

// HandleAck completes an answered call.
func (h *Handset) HandleAck(_ context.Context, ack *stack.Ack) {
	if c := h.call(ack.Request); c != nil {
		c.confirm()
	}
}

func (h *Handset) received(tx *stack.ServerTransaction) {
	r := tx.Request()

	select {
	case h.messages <- Message{From: r.From().Address.String(), Body: r.Body()}:
		_ = tx.Reply(200, "")
	default:
		_ = tx.Reply(480, "")
	}
}

var errNotRegistered = errors.New("the handset is not registered")

// Message sends a page-mode message (RFC 3428) and returns the status of its final response.
func (h *Handset) Message(ctx context.Context, target, text string) (*sip.Response, error) {
	return h.ask(ctx, "MESSAGE", target, func(r *sip.Request) {
		sip.Add(r, "Content-Type", "text/plain")
		r.SetBody([]byte(text))
	})
}

// Capabilities asks what another handset can do (RFC 3261 §11) and returns the final response.
func (h *Handset) Capabilities(ctx context.Context, target string) (*sip.Response, error) {
	return h.ask(ctx, "OPTIONS", target, func(r *sip.Request) { sip.Add(r, "Accept", "application/sdp") })
}

// ask sends a request outside a dialog, after complete has changed it.
func (h *Handset) ask(ctx context.Context, method, target string, complete func(*sip.Request)) (*sip.Response, error) {
	session, registered := h.registered()
	if !registered {
		return nil, errNotRegistered
	}

	r, err := h.request(method, target, session.identity(), target)
	if err != nil {
		return nil, err
	}

	session.route(r)
	complete(r)
	h.alter(r)

	defer h.waits(func() string { return "no answer to the " + method + " yet" })()

	return h.stack.Do(ctx, r, h.towards())
}

func (h *Handset) registered() (registration, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()

	return h.session, time.Now().Before(h.session.until)
}

// Anonymous is the sender of a call without a registration (TS 24.229 §5.1.6.8.2).
const Anonymous = "sip:anonymous@anonymous.invalid"

// caller returns the registration that a call is made with, and the identity in its From.
func (h *Handset) caller() (session registration, identity string, err error) {
	if h.config.Unregistered {
		return registration{}, Anonymous, nil
	}

	session, registered := h.registered()
	if !registered {
		return session, "", errNotRegistered
	}

	return session, session.identity(), nil
}
