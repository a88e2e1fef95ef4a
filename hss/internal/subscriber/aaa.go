package subscriber

import (
	"fmt"
	"strings"
	"time"
)

// AAAServer is the 3GPP AAA server that serves a SIM at a non-3GPP access (TS 29.273 §8.1.2).
type AAAServer struct {
	Host       string // Diameter identity; "": none
	Realm      string
	Registered bool      // not only authenticating
	Since      time.Time // of its last registration
	Features   uint32    // of list 1 that both sides have (TS 29.273 §8.2.3.16)
}

// At reports whether this is the AAA server with these names.
func (a *AAAServer) At(host, realm string) bool {
	return strings.EqualFold(a.Host, host) && strings.EqualFold(a.Realm, realm)
}

// SaveAAA saves the AAA server of a SIM.
func (t *Tx) SaveAAA(s *Subscription, p *PrivateIdentity) error {
	t.moved = append(t.moved, s)

	err := t.db.Model(p).Select("aaa_host", "aaa_realm", "aaa_registered", "aaa_since", "aaa_features", "pgws").Updates(p).Error
	if err != nil {
		return fmt.Errorf("AAA server of %s: %w", p.Identity, err)
	}

	return nil
}
