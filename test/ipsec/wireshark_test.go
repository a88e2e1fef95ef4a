//go:build esp

package ipsec

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/ipsec"
	"github.com/dialtone-ims/dialtone/ue/handset"
)

// A capture of the link is ESP and nothing else, until Wireshark has the file with the keys: then SIP is in it, and the integrity
// of every packet is right.
func TestWiresharkKeys(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "esp_sa")
	n := core(t, "DIALTONE_PCSCF_IPSEC_WIRESHARK_KEYS="+keys)
	wire := capture(t)
	suites := map[netip.Addr]ipsec.Suite{} // of each handset

	for _, suite := range ipsec.Suites {
		for _, six := range []bool{false, true} {
			var config *handset.Config

			h := n.Registered(n.Subscribe(0, ""), secured(t, six, func(c *handset.Config) { c.Security.Suites, config = []ipsec.Suite{suite}, c }))
			if err := errors.Join(h.Deregister(t.Context()), h.Close()); err != nil {
				t.Fatal(err)
			}

			suites[config.Address.Addr()] = suite
		}
	}

	closed, opened := wire.sip(""), wire.sip(keys)

	for address, suite := range suites {
		t.Run(fmt.Sprintf("%s %s", suite, address), func(t *testing.T) {
			// The first REGISTER and its 401 are in clear.
			if got := closed[address]; slices.Contains(got, "200") || !slices.Contains(got, "401") {
				t.Errorf("without keys there is %v", got)
			}

			read := opened[address]

			if suite.Integrity == ipsec.AESGMAC { // Wireshark does not know it
				if slices.Contains(read, "200") {
					t.Errorf("Wireshark reads aes-gmac: %v", read)
				}

				return
			}

			registers, accepted := 0, 0

			for _, what := range read {
				switch what {
				case "REGISTER":
					registers++
				case "200":
					accepted++
				case wrong:
					t.Error(what)
				}
			}

			// In clear, with the answer to the challenge, and the de-registration; 200 to the latter two.
			if registers < 3 || accepted < 2 {
				t.Errorf("with keys there is %v", read)
			}
		})
	}

	if state, err := os.Stat(keys); err != nil || state.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", state, err)
	}
}

const wrong = "a wrong integrity"

// sip gives the methods and status codes of each handset's messages as tshark reads them with a table esp_sa, or without one; a
// packet whose integrity is wrong is one, too.
func (w *tcpdump) sip(keys string) map[netip.Addr][]string {
	w.Helper()

	configuration := w.TempDir()

	if keys != "" {
		table, err := os.ReadFile(keys)
		if err != nil {
			w.Fatal(err)
		}

		folder := filepath.Join(configuration, "wireshark")
		if err := os.MkdirAll(folder, 0o700); err != nil {
			w.Fatal(err)
		}

		if err := os.WriteFile(filepath.Join(folder, "esp_sa"), table, 0o600); err != nil {
			w.Fatal(err)
		}
	}

	command := exec.CommandContext(
		w.Context(),
		"tshark",
		"-n",
		"-r",
		w.file,
		"-Y",
		"sip",
		"-o",
		"esp.enable_encryption_decode:TRUE",
		"-o",
		"esp.enable_authentication_check:TRUE",
		"-d",
		"udp.port==6100-6111,sip",
		"-d",
		"tcp.port==6100-6111,sip",
		"-T",
		"fields",
		"-e",
		"ip.src",
		"-e",
		"ipv6.src",
		"-e",
		"ip.dst",
		"-e",
		"ipv6.dst",
		"-e",
		"sip.Request-Line",
		"-e",
		"sip.Status-Code",
		"-e",
		"esp.icv_bad",
	)
	command.Env = append(os.Environ(), "XDG_CONFIG_HOME="+configuration)

	out, err := command.Output()
	if err != nil {
		w.Fatalf("tshark: %v", err)
	}

	all := map[netip.Addr][]string{}

	for line := range strings.Lines(string(out)) {
		columns := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(columns) != 7 {
			w.Fatalf("tshark writes %q", line)
		}

		source, destination := netip.MustParseAddr(columns[0]+columns[1]), netip.MustParseAddr(columns[2]+columns[3])
		method, _, _ := strings.Cut(columns[4], " ")
		what := []string{method + columns[5]}

		if columns[6] == "1" || columns[6] == "True" {
			what = append(what, wrong)
		}

		all[source], all[destination] = append(all[source], what...), append(all[destination], what...)
	}

	return all
}

// What the admin port says of a handset that is registered: all four associations with what the kernel counted, and no key; and
// of one that sends in clear to a protected port, in words.
func TestAssociationsShown(t *testing.T) {
	n := core(t)
	user := n.Subscribe(0, "")

	var config *handset.Config

	n.Registered(user, secured(t, false, func(c *handset.Config) { c.Transport, config = "TCP", c }))

	var answer struct {
		Sets  int
		Shown []struct {
			Private      string `json:"private_identity"`
			State        string
			Says         string
			Associations []struct {
				Name, SPI       string
				Packets, Octets uint64
				First           string `json:"first_use"`
			}
		}
		Drops []struct{ Counter, Means string }
	}

	ask := func() string {
		t.Helper()

		var text json.RawMessage

		admin := httpapi.Local("http://127.0.0.10:9090")
		if err := admin.Do(t.Context(), "GET", "/associations?ue="+config.Address.Addr().String(), nil, &text); err != nil {
			t.Fatal(err)
		}

		if err := json.Unmarshal(text, &answer); err != nil {
			t.Fatal(err)
		}

		return string(text)
	}

	text := ask()
	set := last(config)

	if answer.Sets != 1 || len(answer.Shown) != 1 || answer.Shown[0].State != "established" || answer.Shown[0].Says != "" ||
		!strings.Contains(answer.Shown[0].Private, user.IMSI) {
		t.Fatalf("%s", text)
	}

	for i, want := range []uint32{set.SPIs.PCSCFServer, set.SPIs.UEServer, set.SPIs.UEClient, set.SPIs.PCSCFClient} {
		if a := answer.Shown[0].Associations[i]; a.SPI != fmt.Sprintf("%#x", want) ||
			i%2 == 0 && (a.Packets == 0 || a.Octets == 0 || a.First == "") {
			t.Errorf("%+v, want SPI %#x", a, want)
		}
	}

	for _, secret := range []string{fmt.Sprintf("%x", set.IK), fmt.Sprintf("%x", set.CK)} {
		if strings.Contains(text, secret) {
			t.Error("a key is shown")
		}
	}

	if err := run("ip -n handsets address replace 192.0.2.200/24 dev gm"); err != nil {
		t.Fatal(err)
	}

	before := gauge(n, `dialtone_pcscf_xfrm_total{counter="XfrmInPolBlock"}`)

	c, err := handsets.ListenPacket(t.Context(), "192.0.2.200:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	if _, err := c.WriteToUDPAddrPort([]byte("OPTIONS sip:x SIP/2.0\r\n\r\n"), netip.MustParseAddrPort(gm4+":6110")); err != nil {
		t.Fatal(err)
	}

	n.Await(
		"the kernel to count what it drops",
		func() bool { return gauge(n, `dialtone_pcscf_xfrm_total{counter="XfrmInPolBlock"}`) > before },
	)
	text = ask()

	if !slices.ContainsFunc(answer.Drops, func(d struct{ Counter, Means string }) bool {
		return d.Counter == "XfrmInPolBlock" && strings.Contains(d.Means, "in clear to a protected port")
	}) {
		t.Errorf("%s", text)
	}
}
