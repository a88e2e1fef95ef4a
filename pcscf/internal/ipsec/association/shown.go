package association

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ipsec"
)

// Shown is a set as shown to an operator: without keys.
type Shown struct {
	Private     string         `json:"private_identity"`
	State       string         `json:"state"`
	Says        string         `json:"says,omitempty"` // the fault that the counters point to, if any
	UE          netip.Addr     `json:"ue"`
	PCSCF       netip.Addr     `json:"pcscf"`
	Integrity   string         `json:"integrity"`
	Encryption  string         `json:"encryption"`
	ReqID       uint32         `json:"reqid"`
	TakesTCP    bool           `json:"takes_tcp"`
	Expires     time.Time      `json:"expires"`
	SecondsLeft int            `json:"seconds_left"`
	LastRequest *time.Time     `json:"last_request,omitempty"` // of the handset, through this set
	Four        []ShownCounter `json:"associations"`
}

// ShownCounter is one of the four associations of a set with its counters.
type ShownCounter struct {
	Name        string         `json:"name"` // by the ports at its ends: uc-ps
	Sender      string         `json:"sender"`
	Source      netip.AddrPort `json:"source"`
	Destination netip.AddrPort `json:"destination"`
	SPI         string         `json:"spi"`
	Packets     uint64         `json:"packets"`
	Octets      uint64         `json:"octets"`
	Replayed    uint32         `json:"replayed"`
	Failed      uint32         `json:"integrity_failed"`
	FirstUse    *time.Time     `json:"first_use,omitempty"`
	LastUse     *time.Time     `json:"last_use,omitempty"` // reported by Linux 6.2 and later
}

// Selection selects the sets to show: those of a user or a handset, if given, after a place in their order, and at most Limit.
type Selection struct {
	Private []string // any of these private identities; nil: all
	UE      netip.Addr
	After   Place
	Limit   int
}

// Place is the position of a set among those shown. The zero value is before all.
type Place struct {
	Private string
	UE      netip.Addr
	ReqID   uint32
}

// ParsePlace parses the result of String.
func ParsePlace(text string) (Place, error) {
	id, rest, _ := strings.Cut(text, "/")
	ue, private, found := strings.Cut(rest, "/")

	number, bad := strconv.ParseUint(id, 10, 32)
	address, err := netip.ParseAddr(ue)

	if !found || bad != nil || err != nil {
		return Place{}, fmt.Errorf("%q is not the number, the address and the user of a set, as in 1/192.0.2.1/alice@example.org", text)
	}

	return Place{private, address, uint32(number)}, nil
}

func (p Place) String() string { return fmt.Sprintf("%d/%s/%s", p.ReqID, p.UE, p.Private) }

func (p Place) compare(q Place) int {
	return cmp.Or(cmp.Compare(p.Private, q.Private), p.UE.Compare(q.UE), cmp.Compare(p.ReqID, q.ReqID))
}

// Place returns the position of a set.
func (s Shown) Place() Place { return Place{s.Private, s.UE, s.ReqID} }

func (s Selection) has(a *association) bool {
	return (s.Private == nil || slices.Contains(s.Private, a.private)) && (!s.UE.IsValid() || s.UE == a.set.UE)
}

// Show returns the sets of a selection, their total number, and whether more follow those shown.
func (p *Table) Show(s Selection) (shown []Shown, total int, more bool) {
	type entry struct {
		Shown
		set   ipsec.Set
		state state
	}

	var all []entry

	p.mu.Lock()
	for _, a := range p.byReturn {
		if s.has(a) {
			all = append(all, entry{a.shown(), a.set, a.state})
		}
	}
	p.mu.Unlock()

	slices.SortFunc(all, func(a, b entry) int { return a.Place().compare(b.Place()) })

	shown, total = []Shown{}, len(all)
	all = slices.DeleteFunc(all, func(e entry) bool { return e.Place().compare(s.After) <= 0 })
	more = len(all) > s.Limit

	for _, e := range all[:min(len(all), s.Limit)] {
		four, err := p.kernel.Use(e.set) // without the lock: each takes four queries of the kernel
		if err != nil {
			e.Says = fmt.Sprintf("the kernel does not have it as it should: %v", err)
		} else {
			e.Says = says(e.state, four)
		}

		for _, c := range four {
			if c.SPI != 0 {
				e.Four = append(e.Four, counter(c))
			}
		}

		shown = append(shown, e.Shown)
	}

	return shown, total, more
}

// shown is called with the lock held.
func (a *association) shown() Shown {
	return Shown{
		Private: a.private, State: a.state.String(), UE: a.set.UE, PCSCF: a.set.PCSCF,
		Integrity: string(a.set.Suite.Integrity), Encryption: string(a.set.Suite.Encryption), ReqID: a.set.ReqID, TakesTCP: a.takesTCP,
		Expires: a.until.UTC().Truncate(time.Second), SecondsLeft: int(max(0, a.remaining()) / time.Second), LastRequest: unlessZero(a.heard),
		Four: []ShownCounter{},
	}
}

func counter(c ipsec.Counters) ShownCounter {
	return ShownCounter{
		Name:        c.Name,
		Sender:      c.From.String(),
		Source:      c.Source,
		Destination: c.Destination,
		SPI:         fmt.Sprintf("%#x", c.SPI),
		Packets:     c.Packets,
		Octets:      c.Octets,
		Replayed:    c.Replayed,
		Failed:      c.Failed,
		FirstUse:    unlessZero(c.FirstUse),
		LastUse:     unlessZero(c.LastUse),
	}
}

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}

	t = t.UTC().Truncate(time.Second)

	return &t
}

// says returns the fault that the counters of a set point to; "" if there is none.
func says(s state, four [4]ipsec.Counters) string {
	var came, failed, replayed uint64

	for _, c := range four {
		if c.From == ipsec.UE {
			came += c.Packets
			failed += uint64(c.Failed)
			replayed += uint64(c.Replayed)
		}
	}

	switch {
	case failed > 0:
		return fmt.Sprintf("%d packets of the handset had a wrong integrity: it has other keys (K, OPc) or took another algorithm", failed)
	case s == temporary && came == 0:
		return "nothing has come from the handset by ESP since the 401: it did not accept the challenge (K, OPc, SQN) or the algorithm, " +
			"or ESP does not pass (NAT, firewall)"
	case s == temporary:
		return fmt.Sprintf("the handset has answered by ESP (%d packets), and its REGISTER has not got a 200", came)
	case replayed > 0:
		return fmt.Sprintf("%d packets of the handset came twice", replayed)
	default:
		return ""
	}
}
