//go:build esp

package ipsec

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/dialtone-ims/dialtone/test/network"
)

// TestLab is the lab's call through ESP, and nothing that it leaves behind.
func TestLab(t *testing.T) {
	left := func() (all string) {
		for _, line := range []string{"ip netns list", "ip -o link show", "ip xfrm state", "ip xfrm policy"} {
			words := strings.Fields(line)

			out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v: %s", line, err, out)
			}

			all += string(out)
		}

		return all
	}

	before := left()
	data := t.TempDir()

	out, err := exec.CommandContext(
		t.Context(),
		filepath.Join(os.Getenv("DIALTONE_BINARIES"), "lab"),
		"--ipsec",
		"--once",
		"--data",
		data,
	).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	rest := string(out)
	for _, want := range []string{
		"SIP 198.51.100.1:5060 (Gm, UDP and TCP)",
		"─ REGISTER ▶", "─── 401 ───", "─ REGISTER ▶", "ESP\n", "(REGISTER)  ESP\n",
		"── INVITE ─▶", "ESP\n", "(BYE)  ESP\n",
		"alice: integrity", "uc-ps", "198.51.100.101:31000 ─▶ 198.51.100.1:6110", "bob: integrity", "Every step happened.",
	} {
		_, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("no %q where it should be in\n%s", want, out)
		}

		rest = after
	}

	if keys, err := os.ReadFile(filepath.Join(data, "esp_sa")); err != nil || !strings.Contains(string(keys), "198.51.100.101") {
		t.Errorf("the keys: %v, %s", err, keys)
	}

	if after := left(); after != before {
		t.Errorf("there was\n%s\nthere is\n%s", before, after)
	}
}

// TestLabForHandsets is the lab with SIMs of one's own, and a handset that comes by an address of one's own.
func TestLabForHandsets(t *testing.T) {
	const imsi, domain = "310260000000003", "ims.mnc260.mcc310.3gppnetwork.org"

	tool := func(name string, arguments ...string) *exec.Cmd {
		return exec.CommandContext(t.Context(), filepath.Join(os.Getenv("DIALTONE_BINARIES"), name), arguments...)
	}
	lab := tool("lab", "--plmn", "310-260", "--gm", gm4, "--data", t.TempDir())

	printed, err := lab.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}

	lab.Stderr = os.Stderr
	if err := lab.Start(); err != nil {
		t.Fatal(err)
	}

	defer func() {
		if err := errors.Join(lab.Process.Signal(syscall.SIGTERM), lab.Wait()); err != nil {
			t.Error(err)
		}
	}()

	var out strings.Builder

	lines := bufio.NewScanner(printed)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "  logs ") {
		out.WriteString(lines.Text() + "\n")
	}

	for _, want := range []string{
		"P-CSCF " + gm4 + ":5060, UDP and TCP, with IPsec",
		"home domain " + domain,
		"subscriber add --imsi " + imsi,
	} {
		if !strings.Contains(out.String(), want) {
			t.Fatalf("no %q in\n%s", want, out.String())
		}
	}

	for _, add := range []*exec.Cmd{
		tool("hss", "subscriber", "add", "--imsi", imsi, "--msisdn", "15550003", "--k", network.K, "--opc", network.OPc),
		tool("ocs", "account", "add", "carol", "--identity", "tel:+15550003", "--balance", "1000"),
	} {
		if out, err := add.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", add.Args, err, out)
		}
	}

	if err := run("ip -n handsets address replace 192.0.2.201/24 dev gm"); err != nil {
		t.Fatal(err)
	}

	handset := tool(
		"ue",
		"--imsi",
		imsi,
		"--domain",
		domain,
		"--k",
		network.K,
		"--opc",
		network.OPc,
		"--pcscf",
		gm4+":5060",
		"--netns",
		string(handsets),
		"--address",
		"192.0.2.201:5060",
		"--ipsec",
		"message",
		"tel:+15550003",
		"to myself",
	)
	if out, err := handset.CombinedOutput(); err != nil || !strings.Contains(string(out), "200 OK") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestCommand is the handset of the command line, with the algorithms that it is told.
func TestCommand(t *testing.T) {
	n := core(t, "DIALTONE_PCSCF_IPSEC_MODE=required")
	user := n.Subscribe(100, "")

	if err := run("ip -n handsets address replace 192.0.2.201/24 dev gm"); err != nil {
		t.Fatal(err)
	}

	ue := func(more ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), filepath.Join(os.Getenv("DIALTONE_BINARIES"), "ue"), append([]string{
			"--imsi", user.IMSI, "--k", network.K, "--opc", network.OPc, "--pcscf", gm4 + ":5060", "--netns", string(handsets), "--address",
			"192.0.2.201:5060",
		}, more...)...).CombinedOutput()

		return string(out), err
	}

	if out, err := ue("message", user.Tel(), "to myself"); err == nil || !strings.Contains(out, "not registered: ") {
		t.Errorf("without security associations: %v, %s", err, out)
	}

	for _, algorithms := range [][]string{nil, {"--algorithms", "hmac-md5-96/null"}} {
		out, err := ue(append([]string{"--ipsec", "message", user.Tel(), "to myself"}, algorithms...)...)
		if err != nil || !strings.Contains(out, "registered as sip:+"+user.MSISDN) || !strings.Contains(out, "200 OK") {
			t.Errorf("%v: %v, %s", algorithms, err, out)
		}
	}

	if out, err := ue("--ipsec", "--algorithms", "rot13/null", "register"); err == nil ||
		!strings.Contains(out, `--algorithms: "rot13/null" is none of`) {
		t.Errorf("%v, %s", err, out)
	}
}
