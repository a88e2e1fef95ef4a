package lab

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/test/network"
)

const nameserver = "127.0.0.40:5300"

// dig is what Debian's dig finds at the lab's name server.
func dig(t *testing.T, question ...string) string {
	t.Helper()

	question = append([]string{"@127.0.0.40", "-p", "5300", "+time=5"}, question...)

	out, err := exec.CommandContext(t.Context(), "dig", question...).CombinedOutput()
	if err != nil {
		t.Fatalf("dig %v (Debian's bind9-dnsutils): %v\n%s", question, err, out)
	}

	return string(out)
}

// eventually waits until something is as it should be.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()

	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// The page names no command or flag that there is not, and all zones that there are.
func TestNamesPage(t *testing.T) {
	page := guide(t, "names.md")
	commands(t, page, 4)
	links(t, page)

	out, err := exec.Command(filepath.Join(binaries, "lab"), "zone", "--without-numbers", "--plmn", "999-70").CombinedOutput()
	if err != nil || strings.Count(string(out), "$ORIGIN") != 3 {
		t.Fatalf("%v\n%s", err, out)
	}

	for line := range strings.Lines(string(out)) {
		if origin, found := strings.CutPrefix(line, "$ORIGIN "); found && !strings.Contains(page, "| `"+strings.TrimSuffix(origin, ".\n")+"` |") {
			t.Errorf("docs/names.md has no zone %s", origin)
		}
	}
}

// With --dns the core finds itself by names alone, handsets find it by its domain alone, and names follow the subscribers.
func TestNames(t *testing.T) {
	defer network.Alone(t).Close()

	const domain = "ims.mnc070.mcc999.3gppnetwork.org"

	command, said := follow(t, t.TempDir(), "--dns", nameserver, "--plmn", "999-70", "--bearers")
	text := said.await(t, "The core stays up", "\n  logs ", "\n  names   ")

	contains(t, text, "The name server at "+nameserver+" answers for "+domain+", epc.mnc070.mcc999.3gppnetwork.org, "+
		"mnc070.mcc999.pub.3gppnetwork.org, e164.arpa\n", "names: 2 numbers", "The call of alice to bob", "sip:+15550002@"+domain)

	if out, err := shown(t, text, "names   ", ""); err != nil || !strings.Contains(out, "_sip._udp.pcscf."+domain) {
		t.Errorf("%v\n%s", err, out)
	}

	for question, want := range map[string]string{
		"_sip._tcp." + domain + " SRV":                   "0 0 5060 icscf." + domain,
		"hss." + domain + " A":                           "127.0.0.13",
		"pcrf.epc.mnc070.mcc999.3gppnetwork.org A":       "127.0.0.15",
		"1.0.0.0.5.5.5.1.e164.arpa NAPTR":                "!^.*$!sip:+15550001@" + domain + "!",
		"epdg.epc.mnc070.mcc999.pub.3gppnetwork.org A":   "status: NXDOMAIN",
		"ims.mnc001.mcc001.3gppnetwork.org NAPTR":        "status: REFUSED",
		"mnc070.mcc999.pub.3gppnetwork.org SOA +noedns ": "hostmaster.mnc070.mcc999.pub.3gppnetwork.org.",
	} {
		if out := dig(t, strings.Fields(question)...); !strings.Contains(out, want) {
			t.Errorf("dig %s does not say %s:\n%s", question, want, out)
		}
	}

	for _, step := range []string{"a subscriber ", "its account "} {
		if out, err := shown(t, text, step, ""); err != nil {
			t.Fatalf("%s: %v\n%s", step, err, out)
		}
	}

	eventually(t, "the new subscriber's number", func() bool {
		return strings.Contains(dig(t, "3.0.0.0.5.5.5.1.e164.arpa", "NAPTR"), "!^.*$!sip:+15550003@"+domain+"!")
	})

	// A handset that knows its domain alone finds the P-CSCF by NAPTR and SRV.
	if out, err := shown(t, text, "the new subscriber calls ", " --talk 100ms --dns "+nameserver); err != nil ||
		!strings.Contains(out, "P-CSCF UDP 127.0.0.10 port 5060") || !strings.Contains(out, "answered") {
		t.Errorf("%v\n%s", err, out)
	}

	zoneFiles(t, domain)

	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}

	text = said.await(t)

	if err := command.Wait(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}

	gone(t)
}

// zoneFiles has the names of the running lab as files, which BIND takes, and which follow the subscribers.
func zoneFiles(t *testing.T, domain string) {
	t.Helper()

	folder := t.TempDir()
	write := func(more ...string) *exec.Cmd {
		arguments := append([]string{"zone", "--plmn", "999-70", "--gm", "192.0.2.7", "--gm", "2001:db8::7", "--out", folder}, more...)
		return exec.CommandContext(t.Context(), filepath.Join(binaries, "lab"), arguments...)
	}

	out, err := write().CombinedOutput()
	if err != nil || strings.Count(string(out), "type primary") != 4 {
		t.Fatalf("%v\n%s", err, out)
	}

	for _, zone := range []string{domain, "epc.mnc070.mcc999.3gppnetwork.org", "mnc070.mcc999.pub.3gppnetwork.org", "e164.arpa"} {
		file := filepath.Join(folder, zone+".zone")
		if !strings.Contains(string(out), file) {
			t.Errorf("it does not say where %s is:\n%s", zone, out)
		}

		if checked, err := exec.Command("named-checkzone", zone, file).CombinedOutput(); err != nil {
			t.Errorf("named-checkzone (Debian's bind9-utils): %v\n%s", err, checked)
		}
	}

	has := func(zone, text string) bool {
		content, err := os.ReadFile(filepath.Join(folder, zone+".zone"))
		return err == nil && strings.Contains(string(content), text)
	}

	if !has(domain, "\tAAAA\t2001:db8::7") || !has("e164.arpa", "sip:+15550003@"+domain) {
		t.Errorf("the files have not what they should")
	}

	following := write("--follow", "--refresh", "100ms")
	if err := following.Start(); err != nil {
		t.Fatal(err)
	}

	if out, err := exec.Command(filepath.Join(binaries, "hss"), "subscriber", "delete", "15550003").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}

	eventually(t, "the file without the number", func() bool { return !has("e164.arpa", "sip:+15550003@"+domain) })

	if err := following.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}

	if err := following.Wait(); err != nil {
		t.Errorf("--follow ends with %v", err)
	}

	if !has("e164.arpa", "sip:+15550002@"+domain) || !has(domain, "pcscf") {
		t.Error("the files are not whole")
	}
}

func TestNamesRefused(t *testing.T) {
	defer network.Alone(t).Close()

	for _, test := range []struct{ arguments, says string }{
		{"--once --dns here", `invalid argument "here"`},
		{"--once --dns 0.0.0.0", "where it is"},
		{"--once --dns 192.0.2.200:5300", "cannot assign requested address"},
		{"dns", "--listen ADDRESS is needed"},
		{"dns --listen " + nameserver + " --healthy", "connection refused"},
		{"zone", "the subscribers cannot be read"},
		{"zone --without-numbers --host x", "it has to be NAME=ADDRESS"},
		{"zone --without-numbers --host mail.example.org=192.0.2.1", "is in none of the zones"},
		{"zone --without-numbers --icscf ::", "nobody is found there"},
		{"zone --follow", "--out FOLDER"},
		{"zone --gm 10.4.128", `"10.4.128" for "--gm" flag: it is no whole IP address`},
		{"dns --listen 10.4.128", "it is no whole IP address"},
		{"open5gs", "--gm ADDRESS is needed"},
		{"open5gs --gm 192.0.2.7 --pool 10.46.0.0", "--pool 10.46.0.0: it is no network"},
		{"open5gs --gm 192.0.2.7 --pcf 10.4.128", `"--pcf" flag: it is no whole IP address`},
		{"open5g", "did you mean open5gs?"},
	} {

		out, err := exec.CommandContext(t.Context(), filepath.Join(binaries, "lab"), strings.Fields(test.arguments)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), test.says) || strings.Contains(string(out), "ready") {
			t.Errorf("%s: %v\n%s", test.arguments, err, out)
		}
	}
}
