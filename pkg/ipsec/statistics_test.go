package ipsec

import (
	"slices"
	"strings"
	"testing"
)

// The /proc/net/xfrm_stat of a 6.1 kernel.
const sample = `XfrmInError             	0
XfrmInNoStates          	3
XfrmInStateProtoError   	18446744073709551615
XfrmOutSomethingNew     	1
`

func TestReadStatistics(t *testing.T) {
	all, err := readStatistics(strings.NewReader(sample + "a line of three\n"))
	want := []Statistic{{"XfrmInError", 0}, {"XfrmInNoStates", 3}, {"XfrmInStateProtoError", 1<<64 - 1}, {"XfrmOutSomethingNew", 1}}

	if err != nil || !slices.Equal(all, want) {
		t.Errorf("%v, %v", all, err)
	}

	if all, err := readStatistics(strings.NewReader("XfrmInError many\n")); err == nil {
		t.Errorf("%v", all)
	}

	if _, err := Statistics(); err != nil { // whether this machine's kernel counts or not
		t.Error(err)
	}
}

// Each counter has its own meaning; an unknown one is marked as such.
func TestMeaning(t *testing.T) {
	said := map[string]string{}

	for name := range meanings {
		meaning := Statistic{Name: name}.Meaning()
		if other := said[meaning]; other != "" || len(meaning) < 20 {
			t.Errorf("%s and %s both mean %q", name, other, meaning)
		}

		said[meaning] = name
	}

	for name, want := range map[string]string{
		"XfrmInNoStates": "SPI", "XfrmInStateProtoError": "K, OPc", "XfrmInStateSeqError": "twice", "XfrmInStateMismatch": "port-c and port-s",
		"XfrmInTmplMismatch": "clear", "XfrmInPolBlock": "protected port", "XfrmInNoPols": "policy",
		"XfrmOutSomethingNew": "of ours", "XfrmInSomethingNew": "that came",
	} {
		if got := (Statistic{Name: name}).Meaning(); !strings.Contains(got, want) {
			t.Errorf("%s means %q", name, got)
		}
	}
}

// The file is the kernel's; that of another version or namespace does no harm.
func FuzzStatistics(f *testing.F) {
	f.Add(sample)
	f.Fuzz(func(_ *testing.T, text string) {
		all, _ := readStatistics(strings.NewReader(text))
		for _, s := range all {
			s.Meaning()
		}
	})
}
