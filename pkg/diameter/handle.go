package diameter

import (
	"context"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/fiorix/go-diameter/v4/diam/avp"
)

// Handle makes h serve a command. It is called before Run, once for each command. An error of h becomes the answer by ResultOf; fields of
// the answer that h leaves empty are filled with the result, the Session-Id and this node's identity. The context ends with the
// connection that the request came over.
func Handle[Q, A any, PQ Typed[Q], PA Typed[A]](n *Node, h func(ctx context.Context, q *Q) (*A, error)) {
	command := PQ(nil).Command()

	n.handlers[commandKey{command.Application.ID, command.Code}] = func(ctx context.Context, m *Message, self Identity) *Message {
		began := time.Now()
		answer, err := serveTyped[Q, A, PQ, PA](ctx, n, m, self, h)
		var result Result

		if err != nil {
			refusal := ResultOf(err)
			result = refusal.Result
			n.logRefusal(m, refusal)
			answer = n.dictionary.errorAnswer(m, refusal, self)
		} else {
			result = resultOf(answer)
			finish(answer, m)
		}

		n.metrics.observe(n.metrics.served, n, m, time.Since(began))
		n.count("received", m, result)

		return answer
	}
}

func serveTyped[Q, A any, PQ Typed[Q], PA Typed[A]](
	ctx context.Context,
	n *Node,
	m *Message,
	self Identity,
	h func(context.Context, *Q) (*A, error),
) (*Message, error) {
	q := new(Q)
	if err := n.dictionary.Decode(m, PQ(q)); err != nil {
		return nil, err
	}

	a, err := h(ctx, q)
	if err != nil {
		return nil, err
	}

	if headed, ok := any(a).(interface{ answerHeader() *AnswerHeader }); ok {
		header := headed.answerHeader()
		header.SessionID = textOf(m.AVP, avp.SessionID)
		header.OriginHost, header.OriginRealm = self.Host, self.Realm

		if header.Result == (Result{}) {
			header.Result = Success
		}
	}

	return n.dictionary.Encode(PA(a))
}

// handle runs a handler, whose panic must not end the process.
func (c *connection) handle(m *Message, h handler) (answer *Message) {
	defer func() {
		if p := recover(); p != nil {
			c.node.log.Error(
				"Diameter procedure panicked",
				"command", m.Header.CommandCode,
				"peer", c.name(),
				"panic", p,
				"stack", string(debug.Stack()),
			)
			c.node.count("received", m, UnableToComply)
			answer = c.node.dictionary.errorAnswer(m, &Error{Result: UnableToComply, Message: "internal error"}, c.self())
		}
	}()

	return h(c.context, m, c.self())
}

// logRefusal logs a refusal: at Info if the fault is the peer's, who is told anyway, and at Error if it is this node's own.
func (n *Node) logRefusal(m *Message, refusal *Error) {
	level := slog.LevelInfo
	if refusal.Result == UnableToComply {
		level = slog.LevelError
	}

	n.log.Log(context.Background(), level, "Diameter request answered with an error", "command", n.commandName(m),
		"peer", textOf(m.AVP, avp.OriginHost), "impi", textOf(m.AVP, avp.UserName),
		"result", refusal.Result.Code, "vendor", refusal.Result.Vendor, "cause", refusal.Error())
}

// handlerOf returns the handler of a request, or why there is none (RFC 6733 §6.1.4, §6.1.6). A request that names this node is for it,
// whatever the realm.
func (n *Node) handlerOf(m *Message, from *peer) (handler, *Error) {
	to := destinationOf(m)

	switch {
	case to.host != "" && !n.config.named(to.host):
		return nil, &Error{Result: UnableToDeliver, Message: "this node is " + n.config.OriginHost + " and relays nothing"}
	case to.host == "" && to.realm != "" && !n.config.serves(to.realm):
		return nil, &Error{Result: RealmNotServed, Message: "this node serves " + n.config.OriginRealm + ", not " + to.realm +
			": diameter.realms can have it"}
	}

	if a := n.dictionary.applications[m.Header.ApplicationID]; a != nil && a.KnownPeers && (from.settings == nil || !from.mayServe(a.ID)) {
		return nil, &Error{Result: ApplicationUnsupported, Message: a.Name + " is for the peers that diameter.peers names for it"}
	}

	h, found := n.handlers[commandKey{m.Header.ApplicationID, m.Header.CommandCode}]
	if !found {
		return nil, &Error{Result: CommandUnsupported, Message: "this node does not serve the command"}
	}

	return h, nil
}
