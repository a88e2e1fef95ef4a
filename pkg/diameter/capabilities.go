package diameter

import (
	"net/netip"
	"slices"
)

var baseProtocol = Application{ID: 0, Name: "Base"}

const relayApplication = 0xFFFFFFFF // RFC 6733 §2.4

// capabilities are what CER and CEA have in common (RFC 6733 §5.3).
type capabilities struct {
	OriginHost    string           `avp:"Origin-Host,required"`
	OriginRealm   string           `avp:"Origin-Realm,required"`
	Addresses     []netip.Addr     `avp:"Host-IP-Address"`
	VendorID      uint32           `avp:"Vendor-Id,required"`
	ProductName   string           `avp:"Product-Name"`
	OriginStateID uint32           `avp:"Origin-State-Id"`
	Vendors       []uint32         `avp:"Supported-Vendor-Id"`
	Auth          []uint32         `avp:"Auth-Application-Id"`
	Inband        []uint32         `avp:"Inband-Security-Id"`
	Acct          []uint32         `avp:"Acct-Application-Id"`
	Specific      []vendorSpecific `avp:"Vendor-Specific-Application-Id"`
	Firmware      uint32           `avp:"Firmware-Revision"`
}

type vendorSpecific struct {
	Vendors []uint32 `avp:"Vendor-Id"`
	Auth    *uint32  `avp:"Auth-Application-Id"`
	Acct    *uint32  `avp:"Acct-Application-Id"`
}

type capabilitiesRequest struct{ capabilities }

type capabilitiesAnswer struct {
	Result Result `avp:"Result-Code,required"`
	capabilities
	ErrorMessage string `avp:"Error-Message"`
}

type watchdogRequest struct {
	OriginHost    string `avp:"Origin-Host,required"`
	OriginRealm   string `avp:"Origin-Realm,required"`
	OriginStateID uint32 `avp:"Origin-State-Id"`
}

type watchdogAnswer struct {
	Result        Result `avp:"Result-Code,required"`
	OriginHost    string `avp:"Origin-Host,required"`
	OriginRealm   string `avp:"Origin-Realm,required"`
	OriginStateID uint32 `avp:"Origin-State-Id"`
}

type disconnectRequest struct {
	OriginHost  string          `avp:"Origin-Host,required"`
	OriginRealm string          `avp:"Origin-Realm,required"`
	Cause       disconnectCause `avp:"Disconnect-Cause,required"`
}

type disconnectAnswer struct {
	Result      Result `avp:"Result-Code,required"`
	OriginHost  string `avp:"Origin-Host,required"`
	OriginRealm string `avp:"Origin-Realm,required"`
}

// disconnectCause says why a peer ends a connection (RFC 6733 §5.4.3).
type disconnectCause uint32

const (
	rebooting disconnectCause = iota
	busy
	doNotWantToTalkToYou
)

func (*capabilitiesRequest) Command() Command { return Command{&baseProtocol, 257, false} }
func (*capabilitiesAnswer) Command() Command  { return Command{&baseProtocol, 257, true} }
func (*watchdogRequest) Command() Command     { return Command{&baseProtocol, 280, false} }
func (*watchdogAnswer) Command() Command      { return Command{&baseProtocol, 280, true} }
func (*disconnectRequest) Command() Command   { return Command{&baseProtocol, 282, false} }
func (*disconnectAnswer) Command() Command    { return Command{&baseProtocol, 282, true} }

// capabilities returns this node's capabilities for a connection with this local address, under one of its names.
func (n *Node) capabilities(local netip.Addr, self Identity) capabilities {
	c := capabilities{
		OriginHost:    self.Host,
		OriginRealm:   self.Realm,
		ProductName:   "Dialtone",
		OriginStateID: n.stateID,
		Inband:        []uint32{noInbandSecurity},
	}

	if local.IsValid() {
		c.Addresses = []netip.Addr{local}
	}

	for _, application := range n.applications {
		if application.Vendor == 0 {
			c.Auth = append(c.Auth, application.ID)
			continue
		}

		c.Specific = append(c.Specific, vendorSpecific{Vendors: []uint32{application.Vendor}, Auth: &application.ID})
		if !slices.Contains(c.Vendors, application.Vendor) {
			c.Vendors = append(c.Vendors, application.Vendor)
		}
	}

	return c
}

// common returns the node's applications that the other side has too, which for a relay are all; named are those that the other side
// lists itself.
func (n *Node) common(c *capabilities) (both, named []uint32) {
	theirs := slices.Concat(c.Auth, c.Acct)
	for _, s := range c.Specific {
		if s.Auth != nil {
			theirs = append(theirs, *s.Auth)
		}

		if s.Acct != nil {
			theirs = append(theirs, *s.Acct)
		}
	}

	for _, application := range n.applications {
		switch {
		case slices.Contains(theirs, application.ID):
			both, named = append(both, application.ID), append(named, application.ID)
		case slices.Contains(theirs, relayApplication):
			both = append(both, application.ID)
		}
	}

	return both, named
}
