package association

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// A registration that is refreshed for a month has its associations all that time, in the kernel too: they never end before the
// registration could (docker_open5gs#288, docker_open5gs#316), and soon after it when the refreshes stop.
func TestMonthOfRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		server := b.challenge(b.clear(), 1, 31000, 31001)
		flow := b.protected(server, 31000)
		b.screen(0, flow, "REGISTER", answer(server, 1, 31000, 31001)...)
		b.Established(flow, 3600)

		for refreshed := time.Duration(0); refreshed < 30*24*time.Hour; refreshed += time.Hour - time.Second { // as late as can be
			time.Sleep(time.Hour - time.Second)
			synctest.Wait()

			if life := b.lifetime(flow); life < time.Second || !b.Protected(b.Return(flow)) {
				t.Fatalf("%s after the first registration the associations live for %s", refreshed, life)
			}

			b.screen(0, flow, "REGISTER", "Security-Verify: "+server, authorization(`nonce="nonce1",response="x"`))
			b.Established(b.Return(flow), 3600)
		}

		b.states(0, 1, 0, 0)
		time.Sleep(time.Hour + 29*time.Second)
		b.states(0, 1, 0, 0)
		time.Sleep(2 * time.Second)
		b.states(0, 0, 0, 0)
	})
}

// Whatever a handset does, in whatever order: a message through one pair of its ports is answered through the other pair of the same set,
// port-c and port-s are never confused, and no way leads to two sets (Kamailio_IMS_Config#3, kamailio#4436).
func TestWaysAreKeptApart(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 33203))
			b := newBench(t, Optional)

			type set struct {
				n                      int
				server                 string
				portClient, portServer int
			}

			var current *set

			for n := 1; n <= 60; n++ {
				from, headers := b.clear(), []string(nil)

				if current != nil && random.IntN(3) > 0 {
					from = b.protected(current.server, uint16(current.portClient))
					if !b.Protected(from) {
						from = b.clear()
					} else {
						headers = []string{"Security-Verify: " + current.server}
					}
				}

				// One of few client ports, sometimes one in use; the server port mostly stays.
				next := &set{n: n, portClient: 31000 + random.IntN(4), portServer: 31500 + random.IntN(8)/7}
				next.server = b.challenge(from, n, next.portClient, next.portServer, headers...)
				flow := b.protected(next.server, uint16(next.portClient))

				if current != nil && flow == b.protected(current.server, uint16(current.portClient)) {
					current = nil // the new one took its place
				}

				if random.IntN(5) > 0 { // else it keeps silent
					b.screen(0, flow, "REGISTER", answer(next.server, n, next.portClient, next.portServer)...)
					b.Established(b.Return(flow), 600)
					current = next

					back := b.Return(flow)
					if got, want := fmt.Sprint(back.Endpoint.Name(), back.Named().Name(), back.Remote), fmt.Sprint("c"+
						clientPort(next.server), flow.Endpoint.Name(), ue, ":", next.portServer); got != want {
						t.Fatalf("seed %d, set %d: the way back is %s, want %s", seed, n, got, want)
					}

					if random.IntN(2) > 0 {
						b.screen(0, flow, "INVITE")
					}

					if random.IntN(6) == 0 {
						b.Ended(back)
					}
				}

				b.apart(seed, n)
				time.Sleep(time.Duration(random.IntN(90)) * time.Second)
			}

			time.Sleep(time.Hour)
			b.states(0, 0, 0, 0)
		})
	}
}

// apart checks that all sets have their own ways, both found, and their own SPIs.
func (b *bench) apart(seed uint64, n int) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()

	spis, ways := map[uint32]bool{}, map[string]bool{}

	for _, a := range b.byHandset[ue] {
		if b.byRequest[a.request()] != a || b.byReturn[a.answerWay()] != a {
			b.t.Fatalf("seed %d, set %d: %s is not found by its ports", seed, n, a.set)
		}

		for _, way := range []string{fmt.Sprint(a.request()), fmt.Sprint(a.answerWay())} {
			if ways[way] {
				b.t.Fatalf("seed %d, set %d: %s leads to two sets", seed, n, way)
			}

			ways[way] = true
		}

		for _, spi := range []uint32{a.set.SPIs.PCSCFClient, a.set.SPIs.PCSCFServer} {
			if spis[spi] {
				b.t.Fatalf("seed %d, set %d: two sets have the SPI %#x", seed, n, spi)
			}

			spis[spi] = true
		}

		if a.set.Ports.PCSCFClient == a.set.Ports.PCSCFServer {
			b.t.Fatalf("seed %d, set %d: %s", seed, n, a.set)
		}
	}

	if len(b.byRequest) != len(b.byHandset[ue]) || len(b.byReturn) != len(b.byHandset[ue]) {
		b.t.Fatalf("seed %d, set %d: %d sets, %d and %d ways", seed, n, len(b.byHandset[ue]), len(b.byRequest), len(b.byReturn))
	}
}

// An ending set is saved as such: a restart does not restore the full life of the set of a handset that has de-registered.
func TestEndIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Optional)
		server := b.challenge(b.clear(), 1, 31000, 31001)
		flow := b.protected(server, 31000)
		b.screen(0, flow, "REGISTER", answer(server, 1, 31000, 31001)...)
		b.Established(flow, 3600)
		b.Ended(b.Return(flow))

		kept := b.remembered()
		if len(kept) != 1 || time.Until(kept[0].Until) > time.Minute {
			t.Errorf("kept: %+v", kept)
		}
	})
}
