package journal

import (
	"log/slog"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
	"github.com/dialtone-ims/dialtone/pcscf/internal/ipsec/association"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/pkg/sip/stack"
)

// A restarted P-CSCF finds what the killed one saved, without keys.
func TestOverARestart(t *testing.T) {
	directory, log := t.TempDir(), slog.New(slog.DiscardHandler)

	store, bindings, sets, err := Open(directory, log)
	if err != nil || len(bindings)+len(sets) != 0 {
		t.Fatal(bindings, sets, err)
	}

	sipStack, err := stack.New(stack.DefaultConfig(
		stack.EndpointConfig{Name: "Gm", Address: "127.0.0.1:0", Transports: []string{"udp"}},
		stack.EndpointConfig{Name: "client", Address: "127.0.0.1:0", Transports: []string{"udp"}},
		stack.EndpointConfig{Name: "server", Address: "127.0.0.1:0", Transports: []string{"udp"}},
	), nil, stack.Options{})
	if err != nil {
		t.Fatal(err)
	}

	ended := make(chan string, 10)
	table := binding.NewTable(binding.Limits{Bindings: 10}, func(b *binding.Binding) { ended <- b.Token }, store.Bindings())
	defer table.Close()

	put := func(token, endpoint, server, transport string, expires time.Duration, registered bool) {
		flow := stack.Flow{
			Endpoint: sipStack.Endpoint(endpoint), Server: sipStack.Endpoint(server), Transport: transport,
			Local: sipStack.Endpoint(endpoint).Address(), Remote: netip.MustParseAddrPort("192.0.2.1:5060"),
		}
		if err := table.Put(&binding.Binding{
			Token:        token,
			Private:      "a@b",
			Contact:      "sip:" + token + "@192.0.2.1",
			Flow:         flow,
			Identities:   []string{"sip:a@b"},
			ServiceRoute: []string{"sip:s;lr"},
			Expires:      time.Now().Add(expires).Round(0),
			Registered:   registered,
		}); err != nil {
			t.Fatal(err)
		}
	}

	put("clear", "Gm", "", "UDP", time.Hour, true)
	put("protected", "client", "server", "UDP", time.Hour, true)
	put("stream", "Gm", "", "TCP", time.Hour, true)
	put("pending", "Gm", "", "UDP", time.Hour, false)
	put("gone", "Gm", "", "UDP", 0, true)

	select {
	case token := <-ended:
		if token != "gone" {
			t.Fatalf("%s is over", token)
		}
	case <-time.After(time.Minute):
		t.Fatal("a binding whose time is over stays")
	}

	set := ipsec.Set{UE: netip.MustParseAddr("192.0.2.1"), SPIs: ipsec.SPIs{UEClient: 300}, ReqID: 7, IK: [16]byte{1}}
	store.Sets().Keep(association.Kept{Set: set, Private: "a@b", Until: time.Now().Add(time.Hour).Round(0)})
	store.Sets().Keep(association.Kept{Set: ipsec.Set{ReqID: 8}})
	store.Sets().Forget(8)
	store.Close()

	store, bindings, sets, err = Open(directory, log)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()

	set.IK = [16]byte{}
	if len(sets) != 1 || sets[0].Set != set || sets[0].Private != "a@b" {
		t.Errorf("sets: %+v", sets)
	}

	restored := map[string]*binding.Binding{}

	for _, k := range bindings {
		if b, err := k.Restore(sipStack.Endpoint); err == nil {
			restored[b.Token] = b
		} else if k.Token != "stream" {
			t.Errorf("%s: %v", k.Token, err)
		}
	}

	if len(restored) != 2 || restored["protected"] == nil || !restored["protected"].Protected() || restored["clear"] == nil ||
		restored["clear"].Protected() {
		t.Fatalf("bindings: %+v", restored)
	}

	before, _ := table.ByToken("protected")
	if after := restored["protected"]; !before.Expires.Equal(after.Expires) {
		t.Errorf("expires %s became %s", before.Expires, after.Expires)
	} else if after.Expires, after.Restored = before.Expires, before.Restored; !reflect.DeepEqual(before, after) {
		t.Errorf("%+v became %+v", before, after)
	}

	late := bindings[0]
	late.Expires = time.Now()

	if _, err := late.Restore(sipStack.Endpoint); err == nil {
		t.Error("a binding that is over comes back")
	}

	moved := bindings[0]
	moved.Endpoint = "other"

	if _, err := moved.Restore(sipStack.Endpoint); err == nil {
		t.Error("a binding of an endpoint that is gone comes back")
	}
}
