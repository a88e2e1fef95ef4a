package app

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/config"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/test/page"
)

// The page on IPsec lists the suites in order, with their kernel transforms, and names nothing that does not exist.
func TestIPsecPage(t *testing.T) {
	page := page.Read(t, "ipsec.md").Text

	var suites []string

	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9-]+/[a-z0-9-]+)` \\| ([^|]*) \\|").FindAllStringSubmatch(page, -1) {
		suites = append(suites, row[1])

		suite, err := ipsec.ParseSuite(row[1])
		if err != nil {
			t.Error(err)
			continue
		}

		transforms, err := ipsec.Expand(suite, [16]byte{}, [16]byte{})
		if err != nil {
			t.Fatal(err)
		}

		for _, a := range []*ipsec.Algorithm{transforms.AEAD, transforms.Integrity, transforms.Encryption} {
			if a != nil && !strings.Contains(row[2], a.Name) {
				t.Errorf("%s is made of %s; the page says %s", suite, a.Name, row[2])
			}
		}
	}

	var wanted []string
	for _, suite := range ipsec.Suites {
		wanted = append(wanted, suite.String())
	}

	if !slices.Equal(suites, wanted) {
		t.Errorf("the table has %v, want %v", suites, wanted)
	}

	defaults := Default()

	var settings []string
	for _, key := range config.Keys(&defaults) {
		settings = append(settings, key.Path)
	}

	for _, named := range regexp.MustCompile("`((?:ipsec|sip)\\.[a-z_.]+)").FindAllStringSubmatch(page, -1) {
		if named[1] != "ipsec." && !slices.Contains(settings, named[1]) {
			t.Errorf("there is no setting %s", named[1])
		}
	}

	for _, counter := range regexp.MustCompile("`(Xfrm[A-Za-z]+)`").FindAllStringSubmatch(page, -1) {
		if meaning := (ipsec.Statistic{Name: counter[1]}).Meaning(); strings.Contains(meaning, "names the cause") {
			t.Errorf("%s is not explained by the P-CSCF", counter[1])
		}
	}

	for _, ports := range []string{"-d udp.port==6100-6111,sip", "port 6110"} {
		if !strings.Contains(page, ports) || defaults.IPsec.ServerPorts[0] != 6110 || defaults.IPsec.ClientPorts[0] != 6100 {
			t.Errorf("%s", ports)
		}
	}
}
