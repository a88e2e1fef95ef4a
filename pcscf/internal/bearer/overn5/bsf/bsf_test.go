package bsf

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sbi"
)

// What is remembered of bindings is bounded, and the newest of it stays.
func TestBounded(t *testing.T) {
	b := New(nil, nil, "")
	address := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 46, byte(i >> 8), byte(i)}) }

	for i := range 3 * most {
		b.keep(address(i), "http://x")

		if all := len(b.young) + len(b.old); all > most {
			t.Fatalf("%d are remembered", all)
		}
	}

	for i := range most / 2 {
		if _, known := b.known(address(3*most - 1 - i)); !known {
			t.Fatalf("the last but %d is not known", i)
		}
	}
}

// Whatever a BSF says of a PCF, it can be asked, or is refused.
func FuzzBinding(f *testing.F) {
	f.Add([]byte(`{"pcfIpEndPoints":[{"ipv4Address":"192.0.2.20","transport":"TCP","port":7777}]}`))
	f.Add([]byte(`{"pcfFqdn":"pcf.5gc","pcfIpEndPoints":[{"port":80}]}`))
	f.Add([]byte(`{"pcfDiamHost":"pcf.epc","pcfFqdn":"http://"}`))

	f.Fuzz(func(t *testing.T, body []byte) {
		for _, scheme := range []string{"http", "https"} {
			root, err := read(body, scheme)
			if _, unbound := errors.AsType[*Unbound](err); unbound && root != "" {
				t.Errorf("%q %v", root, err)
			}
			if err != nil {
				continue
			}
			if _, err := sbi.ParseRoot(root); err != nil {
				t.Error(err)
			}
		}
	})
}
