package sip

import (
	"fmt"
	"strconv"
	"strings"
)

// Outbound reports whether the contacts of a REGISTER are flows (RFC 5626 §6): the handset supports outbound, and the proxy with this
// Path keeps its flows (§5.1). The registrar and the proxies on the way must agree on it.
func Outbound(register *Request, path string) bool {
	if !HasToken(register, "Supported", "outbound") {
		return false
	}

	a, err := ParseNameAddr(path)
	if err != nil {
		return false
	}

	u, err := ParseURI(a.URI)

	return err == nil && u.UriParams.Has("ob")
}

// Instance returns the handset that a Contact belongs to (RFC 5626 §4.1; "" if it is not given) and the flow to it (§4.2). The flow
// counts only if the REGISTER is Outbound; else reg-id is ignored (§6) and the flow is 0.
func Instance(c Contact, outbound bool) (instance string, flow uint32, err error) {
	instance, _ = c.Params.Get("+sip.instance")
	instance = strings.Trim(instance, "<>")

	value, given := c.Params.Get("reg-id")
	if !given || !outbound || instance == "" {
		return instance, 0, nil
	}

	id, err := strconv.ParseUint(value, 10, 31)
	if err != nil || id == 0 {
		return instance, 0, fmt.Errorf("the reg-id of a Contact is not a number from 1: %s", value)
	}

	return instance, uint32(id), nil
}
