package selection

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

func TestCandidates(t *testing.T) {
	servers := Servers{
		{Name: "sip:a", Capabilities: []uint32{1}},
		{Name: "sip:b", Capabilities: []uint32{1, 2}},
		{Name: "sip:c", Capabilities: []uint32{1, 2, 3}},
	}

	tests := []struct {
		name   string
		wanted *cx.Capabilities
		want   []string
	}{
		{"mandatory must all be there", &cx.Capabilities{Mandatory: []uint32{2, 3}}, []string{"sip:c"}},
		{
			"more optional ones come first",
			&cx.Capabilities{Mandatory: []uint32{1}, Optional: []uint32{2, 3}},
			[]string{"sip:c", "sip:b", "sip:a"},
		},
		{"an optional one excludes nobody", &cx.Capabilities{Mandatory: []uint32{3}, Optional: []uint32{9}}, []string{"sip:c"}},
		{"nobody is able", &cx.Capabilities{Mandatory: []uint32{9}}, nil},
		{
			"the HSS's names come first",
			&cx.Capabilities{Mandatory: []uint32{3}, ServerNames: []string{"sip:x", "sip:a"}},
			[]string{"sip:x", "sip:a", "sip:c"},
		},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, servers.Candidates(test.wanted)); diff != "" {
				t.Error(diff)
			}
		})
	}

	if got := servers.Candidates(nil); len(got) != 3 {
		t.Errorf("without capabilities %v may serve, want all three", got)
	}
}

func TestEqualsAreDrawnByWeight(t *testing.T) {
	servers := Servers{{Name: "sip:light", Weight: 1}, {Name: "sip:heavy", Weight: 9}}

	first := map[string]int{}
	for range 2000 {
		first[servers.Candidates(nil)[0]]++
	}

	if first["sip:light"] < 100 || first["sip:light"] > 320 { // 200 expected, nine standard deviations allowed
		t.Errorf("first of 2000: %v, want one in ten to be light", first)
	}
}

func TestValidate(t *testing.T) {
	for name, servers := range map[string]Servers{
		"no name":         {{}},
		"twice":           {{Name: "sip:a"}, {Name: "sip:a"}},
		"negative weight": {{Name: "sip:a", Weight: -1}},
	} {
		if servers.Validate() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
