package scenario

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// association is one of the four of a handset, as the P-CSCF shows it.
type association struct {
	Name        string         `json:"name"`
	Source      netip.AddrPort `json:"source"`
	Destination netip.AddrPort `json:"destination"`
	SPI         string         `json:"spi"`
	Packets     uint64         `json:"packets"`
	Octets      uint64         `json:"octets"`
}

// Associations prints the kernel's counters for each handset, and checks that messages went through in both directions.
func (s *Scenario) Associations(ctx context.Context) error {
	if !s.Place.Protected {
		return nil
	}

	var answer struct {
		Shown []struct {
			Private    string        `json:"private_identity"`
			State      string        `json:"state"`
			Integrity  string        `json:"integrity"`
			Encryption string        `json:"encryption"`
			Four       []association `json:"associations"`
		} `json:"shown"`
	}
	if err := httpapi.Local(adminOfPCSCF).Do(ctx, "GET", "/associations", nil, &answer); err != nil {
		return err
	}

	fmt.Fprint(s.Out, "\nSecurity associations, as the P-CSCF's kernel has them\n")

	for _, who := range []subscriber{alice, bob} {
		found := false

		for _, set := range answer.Shown {
			if set.State != "established" || !strings.HasPrefix(set.Private, s.Network.IMSI(who.number)+"@") {
				continue
			}

			found = true
			received, sent := uint64(0), uint64(0)

			fmt.Fprintf(s.Out, "\n  %s: integrity %s, encryption %s\n", who.name, set.Integrity, set.Encryption)

			for _, a := range set.Four {
				fmt.Fprintf(
					s.Out,
					"    %-6s %21s ─▶ %-21s SPI %-10s %4d packets %6d octets\n",
					a.Name,
					a.Source,
					a.Destination,
					a.SPI,
					a.Packets,
					a.Octets,
				)

				if a.Destination.Addr() == s.Place.PCSCF {
					received += a.Packets
				} else {
					sent += a.Packets
				}
			}

			if received == 0 || sent == 0 {
				return fmt.Errorf("%s: %d packets came through the security associations, %d went", who.name, received, sent)
			}
		}

		if !found {
			return fmt.Errorf("%s has no security associations", who.name)
		}
	}

	return nil
}
