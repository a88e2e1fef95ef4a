package stack

import (
	"hash/maphash"
	"slices"
	"strconv"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// Forwardable returns the copy of a request that a proxy passes on, or a refusal if it may not (RFC 3261 §16.3, §16.4, §16.6 3). Own URIs
// are removed from the top of Route and returned in order. understood are the options of Proxy-Require that the caller serves. A refusal
// also comes with the own URIs, as far as Route can be read: they say what is refused.
func (s *Stack) Forwardable(r *sip.Request, understood ...string) (out *sip.Request, own []sip.NameAddr, refusal *sip.Refusal) {
	out = sip.Copy(r)
	own, err := s.popOwnRoutes(out)

	hops := uint32(sip.MaxForwards)
	if h := r.MaxForwards(); h != nil {
		if h.Val() == 0 {
			return nil, own, sip.Refuse(483, "Max-Forwards is used up")
		}

		hops = h.Val() - 1
	}

	left := sip.MaxForwardsHeader(hops)
	out.ReplaceHeader(&left)

	if s.looped(r) {
		return nil, own, sip.Refuse(482, "the request was here before, unchanged: a loop")
	}

	options := slices.DeleteFunc(sip.Values(r, "Proxy-Require"), func(option string) bool {
		return slices.ContainsFunc(understood, func(u string) bool { return strings.EqualFold(u, option) })
	})
	if len(options) > 0 {
		return nil, own, sip.Refuse(420, "Proxy-Require names what is not supported here",
			sip.NewHeader("Unsupported", strings.Join(options, ", ")))
	}

	if err != nil {
		refusal := sip.Refuse(400, "Route cannot be read").Because(err)
		refusal.Phrase = "Bad Route"

		return nil, s.readable(r), refusal
	}

	return out, own, nil
}

// readable returns the own URIs at the top of a Route that cannot be read as a whole.
func (s *Stack) readable(r *sip.Request) (own []sip.NameAddr) {
	for _, text := range sip.Values(r, "Route") {
		route, err := sip.ParseNameAddr(text)
		if err != nil {
			break
		}

		if u, err := sip.ParseURI(route.URI); err != nil || !s.Own(u) {
			break
		}

		own = append(own, route)
	}

	return own
}

// popOwnRoutes does §16.4: it removes the proxy's own URIs from the top of Route, and undoes the rewriting of a strict router before it.
func (s *Stack) popOwnRoutes(r *sip.Request) (own []sip.NameAddr, err error) {
	routes, err := sip.Routes(r)
	if err != nil {
		return nil, err
	}

	if len(routes) > 0 && s.Own(r.Recipient) && r.Recipient.UriParams.Has("lr") { // a strict router put our URI into the Request-URI
		last := routes[len(routes)-1]

		target, err := sip.ParseURI(last.URI)
		if err != nil {
			return nil, err
		}

		own = append(own, sip.NameAddr{URI: r.Recipient.String()})
		r.Recipient = target
		routes = routes[:len(routes)-1]
		sip.SetRoutes(r, routes)
	}

	changed := false

	for len(routes) > 0 {
		top, err := sip.ParseURI(routes[0].URI)
		if err != nil {
			return nil, err
		}

		if !s.Own(top) {
			break
		}

		own, routes, changed = append(own, routes[0]), routes[1:], true
	}

	if changed {
		sip.SetRoutes(r, routes)
	}

	return own, nil
}

// looped reports whether a request was here before with the same target, route and identity (RFC 5393 §4.2.1). One that was here with
// another target or Route is a spiral, as between originating and terminating services.
func (s *Stack) looped(r *sip.Request) bool {
	vias := r.GetHeaders("Via")
	if len(vias) < 2 {
		return false
	}

	hash := ""

	for _, h := range vias[1:] {
		via, ok := h.(*sip.ViaHeader)
		if !ok || !s.Own(sip.Uri{Host: via.Host, Port: via.Port}) {
			continue
		}

		branch, _ := via.Params.Get("branch")
		_, before, found := strings.Cut(branch, loopMark)

		if !found {
			continue
		}

		if hash == "" {
			hash = loopHash(r)
		}

		if before == hash {
			return true
		}
	}

	return false
}

const loopMark = "-l"

var loopSeed = maphash.MakeSeed()

// loopHash returns a hash of everything in a received request that decides where it goes.
func loopHash(r *sip.Request) string {
	var h maphash.Hash

	h.SetSeed(loopSeed)

	write := func(s string) {
		_, _ = h.WriteString(s) // a hash never fails
		_ = h.WriteByte(0)
	}

	write(r.Recipient.String())

	if tag, ok := r.From().Params.Get("tag"); ok {
		write(tag)
	}

	if tag, ok := r.To().Params.Get("tag"); ok {
		write(tag)
	}

	write(r.CallID().Value())
	write(strconv.FormatUint(uint64(r.CSeq().SeqNo), 10) + string(r.CSeq().MethodName))

	for _, route := range sip.Values(r, "Route") {
		write(route)
	}

	return strconv.FormatUint(h.Sum64(), 36)
}

func loopBranch(hash string) string { return sip.NewBranch() + loopMark + hash }
