package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/aka"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// K and OP are the raw octets of letters, as SIPp takes them from its injection file.
const (
	k   = "Dialtone-test-K1"
	op  = "Dialtone-test-OP"
	amf = "AB"
)

var sim = map[string]string{
	"k":   hex.EncodeToString([]byte(k)),
	"op":  hex.EncodeToString([]byte(op)),
	"amf": hex.EncodeToString([]byte(amf)),
}

// user is one subscriber: its address is its own, as a handset's is.
type user struct {
	imsi, number string
	address      netip.Addr
}

// uri returns what others call the user by.
func (u user) uri() string {
	if u.number == "" {
		return "sip:" + u.imsi + "@" + domain
	}

	return "tel:+" + u.number
}

// users are n subscribers of a group, at 127.GROUP.x.y.
func users(group, n int) []user {
	all := make([]user, n)
	for i := range all {
		all[i] = user{
			imsi: fmt.Sprintf("00101%04d%06d", group, i), number: fmt.Sprintf("1777%d%06d", group, i),
			address: netip.AddrFrom4([4]byte{127, byte(group), byte(1 + i/250), byte(1 + i%250)}),
		}
	}

	return all
}

// handsets are simulated handsets.
type handsets struct {
	users []user
	all   []*handset.Handset
}

func newHandsets(n int) (*handsets, error) {
	h := &handsets{users: users(1, n)}
	if err := provision(h.users); err != nil {
		return nil, err
	}

	for _, u := range h.users {
		one, err := handset.New(handset.Config{
			IMSI: u.imsi, Domain: domain,
			K: [16]byte([]byte(k)), OPc: aka.OPc([16]byte([]byte(k)), [16]byte([]byte(op))), Transport: "UDP", Expires: 3600,
			Address: netip.AddrPortFrom(u.address, 5060), Proxy: netip.MustParseAddrPort("127.0.0.10:5060"),
		})
		if err != nil {
			return nil, err
		}

		h.all = append(h.all, one)

		go func() {
			for call := range one.Incoming() {
				go func() { _ = call.Answer(context.Background()) }()
			}
		}()
	}

	return h, nil
}

func (h *handsets) name() string { return "handsets" }

func (h *handsets) close() {
	for _, one := range h.all {
		_ = one.Close()
	}
}

func (h *handsets) register(rate, n int) outcome {
	for _, one := range h.all[:n] {
		one.Forget()
	}

	return paced(rate, n, func(i int) error { return h.all[i].Register(context.Background()) })
}

func (h *handsets) call(rate, n int) outcome {
	half := len(h.all) / 2

	return paced(rate, n, func(i int) error {
		call, err := h.all[i%half].Dial(context.Background(), "tel:+"+h.users[half+i%half].number)
		if err != nil {
			return err
		}

		return call.HangUp(context.Background())
	})
}

// paced does n things at a fixed rate.
func paced(rate, n int, do func(i int) error) (seen outcome) {
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		began = time.Now()
	)

	for i := range n {
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(rate))))
		group.Go(func() {
			if err := do(i); err != nil {
				mu.Lock()
				defer mu.Unlock()
				seen = outcome{seen.failed + 1, "the last failure: " + err.Error()}
			}
		})
	}

	group.Wait()

	return seen
}
