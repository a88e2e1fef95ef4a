package sip

// Routes are the values of Route, each to the letter.
func Routes(m Message) ([]NameAddr, error) { return addresses(m, "Route") }

// RecordRoutes are the values of Record-Route.
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

// SetRoutes makes these the values of Route, in this order.
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
