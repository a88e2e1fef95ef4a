package gm

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/test/memory"
)

// guestsFrom sends a request for help of a handset without a registration at this address, with this user in Contact.
func (d *centres) guestsFrom(peer *memory.Peer, method, user string) {
	d.t.Helper()
	peer.Send(gmAddress, d.request(method, "urn:service:sos", "From: <"+anonymous+">;tag=a",
		"Via: SIP/2.0/UDP "+peer.Address()+";branch="+sip.NewBranch(), "Contact: <sip:"+user+"@"+peer.Address()+">")...)
}

// The second call of a guest, which the centre does not take, takes nothing from the first.
func TestGuestWithTwoCalls(t *testing.T) {
	withCentres(t, unregistered, func(t *testing.T, d *centres) {
		d.send("INVITE", "urn:service:sos", anonymously...)
		answer, ended := d.talk(d.psap, d.psap.Request("INVITE"))
		until := d.only().Expires

		d.send("INVITE", "urn:service:sos", anonymously...)
		second := d.psap.Request("INVITE")
		synctest.Wait()
		if b := d.only(); b.Expires.Before(until) {
			t.Errorf("the second call took %s of the first one's time", until.Sub(b.Expires))
		}
		d.psap.Answer(second, 486)
		d.psap.Request("ACK")
		d.alice.Response(486)

		time.Sleep(2 * early)
		synctest.Wait()
		d.alice.All() // the 486 again, which has no ACK
		d.hold(d.psap, answer)
		ended(d.psap, answer)
		d.goneAfter(linger())
	})
}

// A binding whose calls are over lasts as long as the next call, and not as long as the one before.
func TestGuestCallsAgain(t *testing.T) {
	withCentres(t, unregistered, func(t *testing.T, d *centres) {
		d.send("INVITE", "urn:service:sos", anonymously...)
		answer, ended := d.talk(d.psap, d.psap.Request("INVITE"))
		ended(d.psap, answer)

		d.send("INVITE", "urn:service:sos", anonymously...)
		answer, ended = d.talk(d.psap, d.psap.Request("INVITE"))
		time.Sleep(2 * linger())
		synctest.Wait()
		if b := d.only(); b.Ended != "" {
			t.Errorf("it has ended in a call: %s", b.Ended)
		}
		ended(d.psap, answer)
		d.goneAfter(linger())
	})
}

// What the centre says late of a call that is over brings no guest back.
func TestGuestWhoseCallIsOver(t *testing.T) {
	withCentres(t, unregistered, func(t *testing.T, d *centres) {
		d.send("INVITE", "urn:service:sos", anonymously...)
		answer, ended := d.talk(d.psap, d.psap.Request("INVITE"))
		d.inCall("UPDATE", answer)
		update := d.psap.Request("UPDATE")
		ended(d.psap, answer)
		d.psap.Answer(update, 200, "Contact: <sip:desk7@"+psapAt+">")
		d.alice.Response(200)
		d.goneAfter(linger())
	})
}

// A branch that answers when the call is over is a call of its own (RFC 3261 §13.2.2.4), in which the guest stays.
func TestGuestWhoIsAnsweredTwice(t *testing.T) {
	withCentres(t, unregistered, func(t *testing.T, d *centres) {
		d.send("INVITE", "urn:service:sos", anonymously...)
		invite := d.psap.Request("INVITE")
		answer, ended := d.talk(d.psap, invite)
		ended(d.psap, answer)

		d.psap.Answer(invite, 200, "To: "+sip.Value(invite, "To")+";tag=late", "Contact: <sip:desk8@"+psapAt+">")
		late := d.alice.Response(200)
		synctest.Wait()
		if b := d.only(); b.Ended != "" {
			t.Errorf("it has ended in a call: %s", b.Ended)
		}
		time.Sleep(2 * linger())
		d.inCall("BYE", late)
		d.psap.Answer(d.psap.Request("BYE"), 200)
		d.alice.Response(200)
		d.goneAfter(linger())
	})
}

// Who has no call has no place: what is no call never had one, and a call that is over gives its place up.
func TestGuestsWithoutACall(t *testing.T) {
	stranger := func(d *centres) *memory.Peer { return d.network.Peer(d.t, "10.0.0.66:5060") }

	t.Run("requests that are no calls", func(t *testing.T) {
		withCentres(t, unregistered, func(t *testing.T, d *centres) {
			peer := stranger(d)
			for i, method := range []string{"OPTIONS", "MESSAGE", "OPTIONS", "SUBSCRIBE", "REFER"} {
				d.guestsFrom(peer, method, fmt.Sprint("x", i))
				if method == "SUBSCRIBE" || method == "REFER" {
					peer.Response(403)
					continue
				}
				d.psap.Answer(d.psap.Request(method), 405)
				peer.Response(405)
			}
			synctest.Wait()
			if n := d.proxy.bindings.Len(); n != 0 {
				t.Errorf("they have %d places", n)
			}
		})
	})

	t.Run("calls that are over", func(t *testing.T) {
		withCentres(t, unregistered, func(t *testing.T, d *centres) {
			peer := stranger(d)
			for i := range 10 {
				d.guestsFrom(peer, "INVITE", fmt.Sprint("x", i))
				d.psap.Answer(d.psap.Request("INVITE"), 486)
				d.psap.Request("ACK")
				peer.Response(486)
				synctest.Wait()
			}
			if n := d.proxy.bindings.Len(); n > 2 {
				t.Errorf("%d bindings where two may be", n)
			}

			d.send("INVITE", "urn:service:sos", anonymously...)
			answer, ended := d.talk(d.psap, d.psap.Request("INVITE"))
			ended(d.psap, answer)
			d.goneAfter(linger())
		})
	})
}

// One address has no more than its share of the places.
func TestGuestsOfOneAddress(t *testing.T) {
	withCentres(t, func(c *Config, o *Options) { c.MaxGuests = 100; unregistered(c, o) }, func(t *testing.T, d *centres) {
		peer := d.network.Peer(t, "10.0.0.66:5060")
		for i := range 4 {
			d.guestsFrom(peer, "INVITE", fmt.Sprint("x", i))
			d.psap.Request("INVITE")
		}
		d.guestsFrom(peer, "INVITE", "x4")
		if r := peer.Response(503); !strings.Contains(sip.Value(r, "Reason"), "from this address") {
			t.Errorf("the refusal does not say why:\n%s", r)
		}
		d.guestsFrom(peer, "INVITE", "x3") // who has a place may call again
		d.psap.Request("INVITE")

		d.send("INVITE", "urn:service:sos", anonymously...)
		d.psap.Request("INVITE")
	})
}

// The centre forks, and the branch that did not answer is never heard of again: the guest goes with the last of its dialogs.
func TestGuestOfAForkedCall(t *testing.T) {
	withCentres(t, unregistered, func(t *testing.T, d *centres) {
		d.send("INVITE", "urn:service:sos", anonymously...)
		invite := d.psap.Request("INVITE")
		d.psap.Answer(invite, 183, "To: "+sip.Value(invite, "To")+";tag=other", "Contact: <sip:ivr@"+psapAt+">")
		d.alice.Response(183)
		answer, ended := d.talk(d.psap, invite)
		ended(d.psap, answer)
		if b := d.only(); b.Ended != "" {
			t.Error("it has ended while the other branch may still answer")
		}
		d.goneAfter(2*time.Minute + linger())
	})
}
