package label

import (
	"fmt"
	"testing"
)

func TestLabels(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{Method("INVITE"), "INVITE"},
		{Method("INVENTED"), Other},
		{Method(""), Other},
		{Method("invite"), Other},
		{Status(486), "486"},
		{Status(499), "4xx"},
		{Status(199), "199"},
		{Status(0), Other},
		{Status(-486), Other},
		{Status(700), Other},
		{Result(2001), "2001"},
		{Result(5142), "5142"},
		{Result(5999), "5xxx"},
		{Result(0), Other},
		{Result(4294967295), Other},
		{Vendor(0), "0"},
		{Vendor(10415), "10415"},
		{Vendor(4711), Other},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}

	methods, statuses, results := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i := range 100_000 {
		methods[Method(fmt.Sprint("M", i))], statuses[Status(i)], results[Result(uint32(i))] = true, true, true
	}
	if len(methods) != 1 || len(statuses) > 100 || len(results) > 1100 {
		t.Errorf("%d methods, %d statuses, %d results", len(methods), len(statuses), len(results))
	}
}
