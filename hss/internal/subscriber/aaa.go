package subscriber

import (
	"fmt"
	"strings"
	"time"
)

// AAAServer is the 3GPP AAA server that serves a SIM at an access that is none of 3GPP's (TS 29.273 §8.1.2).
type AAAServer struct {
	Host       string // Diameter identity, or "": none
	Realm      string
	Registered bool      // not only authenticating
	Since      time.Time // of its last registration
}

// At reports whether it is this AAA server.
func (a *AAAServer) At(host, realm string) bool {
	return strings.EqualFold(a.Host, host) && strings.EqualFold(a.Realm, realm)
}

// SaveAAA writes which AAA server a SIM has.
func (t *Tx) SaveAAA(s *Subscription, p *PrivateIdentity) error {
	t.moved = append(t.moved, s)

	if err := t.db.Model(p).Select("aaa_host", "aaa_realm", "aaa_registered", "aaa_since").Updates(p).Error; err != nil {
		return fmt.Errorf("AAA server of %s: %w", p.Identity, err)
	}

	return nil
}
