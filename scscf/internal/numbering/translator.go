// Package numbering translates dialled numbers to targets (TS 24.229 §5.4.3.2, RFC 3966): by the numbering plan of the operator, by the
// HSS for numbers that are local to the home network, and by ENUM. It also has the routes for numbers that nobody at home has.
package numbering

import (
	"context"
	"log/slog"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Enum translates a telephone number, +E.164, to a URI (RFC 6116); "" if it has none.
type Enum interface {
	Translate(ctx context.Context, number string) (uri string, err error)
}

// Subscribers reports whether somebody has a public identity, according to the HSS.
type Subscribers interface {
	Exists(ctx context.Context, public string) (bool, error)
}

// Options are the dependencies of a Translator.
type Options struct {
	Plan        Plan
	HomeDomain  string
	Enum        Enum        // nil: numbers are not translated
	Subscribers Subscribers // nil: only the numbering plan translates local numbers
	Log         *slog.Logger
}

// Translator translates Request-URIs that are telephone numbers.
type Translator struct {
	plan        Plan
	home        string
	enum        Enum
	subscribers Subscribers
	log         *slog.Logger
}

// New returns a Translator.
func New(o Options) *Translator {
	return &Translator{plan: o.Plan, home: o.HomeDomain, enum: o.Enum, subscribers: o.Subscribers, log: o.Log}
}

const enumTime = 3 * time.Second // for a translation; the call goes on without it

// Translate returns the target that a dialled one means: its global number, or the URI that ENUM has for that. A target without a
// translation is returned unchanged. own is the caller's number.
func (t *Translator) Translate(ctx context.Context, target sip.Uri, own string) sip.Uri {
	dialled := target.String()
	number, phoneContext, ok := t.plan.dialled(dialled, t.home)

	global := ""
	if ok {
		global = t.plan.global(number, phoneContext)
	}

	if global == "" {
		global = t.homeLocal(ctx, dialled, own)
	}

	switch {
	case global == "" && ok:
		t.log.Info("a local number that neither the numbering plan nor the HSS knows", "number", dialled)
		return target
	case global == "":
		return target
	}

	if global != number {
		target = t.replaced(target, "tel:"+global)
	}

	if t.enum == nil {
		return target
	}

	ctx, cancel := context.WithTimeout(ctx, enumTime)
	defer cancel()

	switch uri, err := t.enum.Translate(ctx, global); {
	case err != nil:
		t.log.Warn("ENUM does not answer; the number goes on as it is", "number", global, "cause", err)
	case uri != "":
		return t.replaced(target, uri)
	}

	return target
}

func (t *Translator) replaced(target sip.Uri, uri string) sip.Uri {
	u, err := sip.ParseURI(uri)
	if err != nil || u.Scheme != "sip" && u.Scheme != "sips" && u.Scheme != "tel" {
		t.log.Warn("a translated number cannot be called", "number", target.String(), "uri", uri, "cause", err)
		return target
	}

	u.Headers = nil

	return u
}

// Breakout is the route out of the network for a number that nobody at home has (TS 24.229 §5.4.3.2: to a BGCF, or its substitute).
type Breakout struct {
	Route  string // as in the plan
	Target sip.Uri
	BGCF   bool // Route goes into the Route header field; else Target is the gateway's
}

// Breakout returns the route out of the network for a target; false if it is not a number, or the plan has no route for it.
func (t *Translator) Breakout(target sip.Uri) (Breakout, bool) {
	number, _, ok := t.plan.dialled(target.String(), t.home)
	if !ok {
		return Breakout{}, false
	}

	_, route, found := longestPrefix(t.plan.Breakout, number)
	if !found {
		t.log.Info("nobody here has the number, and sessions.numbers.breakout has no route for it", "number", number)
		return Breakout{}, false
	}

	u, err := sip.ParseURI(route)

	switch {
	case err != nil:
		return Breakout{}, false // Validate has refused such a plan
	case u.UriParams.Has("lr"):
		return Breakout{Route: route, Target: target, BGCF: true}, true
	}

	u.User = ims.EscapeNumber(number)
	u.UriParams.Add("user", "phone")

	return Breakout{Route: route, Target: u}, true
}
