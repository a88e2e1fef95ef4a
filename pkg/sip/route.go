package sip

import "slices"

// Routes returns the values of Route, each as written.
func Routes(m Message) ([]NameAddr, error) { return addresses(m, "Route") }

// RecordRoutes returns the values of Record-Route.
func RecordRoutes(m Message) ([]NameAddr, error) { return addresses(m, "Record-Route") }

func addresses(m Message, name string) ([]NameAddr, error) {
	var all []NameAddr

	for _, value := range Values(m, name) {
		a, err := ParseNameAddr(value)
		if err != nil {
			return nil, err
		}

		all = append(all, a)
	}

	return all, nil
}

// SetRoutes sets the values of Route, in this order.
func SetRoutes(m Message, routes []NameAddr) {
	Remove(m, "Route")

	for i := len(routes) - 1; i >= 0; i-- {
		Prepend(m, "Route", routes[i].String())
	}
}

// PushRoute puts a URI on top of Route.
func PushRoute(m Message, uri string) { Prepend(m, "Route", "<"+uri+">") }

// AddRecordRoute puts a URI on top of Record-Route (RFC 3261 §16.6 4).
func AddRecordRoute(m Message, uri string) { Prepend(m, "Record-Route", "<"+uri+">") }

// RestoreRecordRoute makes sure that the Record-Route of a response that may create a dialog ends with that of the request as sent:
// entries that hops behind this one remove or change would lead the requests of the dialog past the hops in front (TS 24.229 §5.2.6.4.4).
// It reports whether something had to be restored. URIs are compared one by one.
func RestoreRecordRoute(r *Response, sent *Request) (restored bool) {
	if r.StatusCode == 100 || r.StatusCode >= 300 {
		return false
	}

	want := Values(sent, "Record-Route")
	if got := Values(r, "Record-Route"); len(got) >= len(want) && slices.EqualFunc(got[len(got)-len(want):], want, sameAddress) {
		return false
	}

	SetRecordRoute(r, sent)

	return true
}

// SetRecordRoute gives a response the Record-Route of the request that it answers (RFC 3261 §12.1.1).
func SetRecordRoute(r *Response, sent *Request) {
	Remove(r, "Record-Route")

	for _, value := range Values(sent, "Record-Route") {
		Add(r, "Record-Route", value)
	}
}

func sameAddress(a, b string) bool {
	if a == b {
		return true
	}

	x, errX := ParseNameAddr(a)
	y, errY := ParseNameAddr(b)

	return errX == nil && errY == nil && SameURI(x.URI, y.URI)
}

// NextHop returns the URI that a request is sent to: its topmost Route, else its Request-URI (RFC 3261 §8.1.2, §16.6 7).
func NextHop(r *Request) (Uri, error) {
	routes, err := Routes(r)
	if err != nil {
		return Uri{}, err
	}

	if len(routes) > 0 {
		return ParseURI(routes[0].URI)
	}

	return r.Recipient, nil
}
