package app

import (
	"testing"

	"github.com/dialtone-ims/dialtone/pcscf/internal/binding"
)

// GET /bindings?identity= finds a handset by any identity, in any form.
func TestBindingsOf(t *testing.T) {
	const domain = "ims.example"

	reachable := func(*binding.Binding) string { return "" }

	all := []*binding.Binding{
		{Private: "001010000000001@ims.example", Identities: []string{"sip:+15550001@ims.example", "tel:+15550001"}},
		{Private: "dora@ims.example", Identities: []string{"sip:dora@ims.example"}},
	}

	for identity, want := range map[string]string{
		"001010000000001": all[0].Private, "15550001": all[0].Private, "+1-555-0001": all[0].Private, "tel:+15550001": all[0].Private,
		"imsi:001010000000001": all[0].Private, all[0].Private: all[0].Private,
		"dora": all[1].Private, "sip:dora@ims.example": all[1].Private, "nobody": "",
	} {
		got := ""
		for _, v := range list(all, reachable, identity, domain) {
			got += v.Private
		}

		if got != want {
			t.Errorf("%s: %q, want %q", identity, got, want)
		}
	}

	if shown := list(all, reachable, "", domain); len(shown) != 2 {
		t.Errorf("without an identity: %d", len(shown))
	}
}
