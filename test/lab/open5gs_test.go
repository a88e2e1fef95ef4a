package lab

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/child"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/test/network"
)

// open5gs is what the lab says that an Open5GS needs.
func open5gs(t *testing.T, arguments ...string) string {
	t.Helper()

	out, err := exec.Command(filepath.Join(binaries, "lab"), append([]string{"open5gs"}, arguments...)...).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	return string(out)
}

// exported are the variables of a script.
func exported(script string) (environment []string) {
	for _, match := range regexp.MustCompile(`(?m)^export (\w+)='(.*)'$`).FindAllStringSubmatch(script, -1) {
		environment = append(environment, match[1]+"="+match[2])
	}

	return environment
}

// The guide for handsets has what the program says, word for word.
func TestHandsetPageHasWhatOpen5GSNeeds(t *testing.T) {
	said := open5gs(t, "--plmn", "999-70", "--gm", "10.4.128.21")
	page := part(t, "handset.md", "2. The packet core")
	blocks(t, page, said, 3)

	for _, part := range regexp.MustCompile(`(?m)^== (\S+):`).FindAllStringSubmatch(said, -1) {
		if !strings.Contains(page, "`"+part[1]+"`") {
			t.Errorf("the page does not name the part %s", part[1])
		}
	}
}

// So has the page of bearers, for an Open5GS on a machine of its own.
func TestBearersPageHasWhatOpen5GSNeeds(t *testing.T) {
	page := guide(t, "bearers.md")
	commands(t, page, 2)
	links(t, page)

	said := open5gs(t, "--plmn", "999-70", "--gm", "10.4.128.21", "--gateway", "10.4.128.5")
	section := part(t, "bearers.md", "With Open5GS")
	blocks(t, section, said, 3)

	for _, name := range []string{"pcrf.conf", "pcf.yaml", "subscribers.json", "policy.yaml", "lab.sh"} {
		if !strings.Contains(section, "`"+name+"`") || !strings.Contains(said, "\n== "+name+":") {
			t.Errorf("the page, or lab open5gs, has no %s", name)
		}
	}
}

// The HSS takes the configurations that its page shows.
func TestHSSPageHasConfigurations(t *testing.T) {
	all := regexp.MustCompile("(?s)```yaml\n(# hss\\.yaml\n.*?)```").FindAllStringSubmatch(guide(t, "hss.md"), -1)
	if len(all) != 2 { // for an MME, and for an AAA server
		t.Errorf("the page has %d", len(all))
	}

	for _, shown := range all {
		file := filepath.Join(t.TempDir(), "hss.yaml")
		if err := os.WriteFile(file, []byte(shown[1]), 0o600); err != nil {
			t.Fatal(err)
		}

		if out, err := exec.Command(filepath.Join(binaries, "hss"), "--config", file, "--check-config").CombinedOutput(); err != nil {
			t.Errorf("%v\n%s\nto\n%s", err, out, shown[1])
		}
	}
}

// part is a section of a page.
func part(t *testing.T, name, title string) string {
	t.Helper()

	_, page, found := strings.Cut(guide(t, name), "\n## "+title+"\n")
	if !found {
		t.Fatalf("%s has no section %s", name, title)
	}

	page, _, _ = strings.Cut(page, "\n## ")

	return page
}

// blocks wants at least so many blocks of text in a page, and the program to say each.
func blocks(t *testing.T, page, said string, least int) {
	t.Helper()

	all := regexp.MustCompile("(?s)```\\w*\n(.*?)```").FindAllStringSubmatch(page, -1)
	if len(all) < least {
		t.Errorf("the page has %d blocks", len(all))
	}

	for _, block := range all {
		if !strings.Contains(said, "\n"+block[1]) {
			t.Errorf("lab open5gs does not say\n%s\nbut\n%s", block[1], said)
		}
	}
}

// The functions take the environment that is for them.
func TestOpen5GSEnvironment(t *testing.T) {
	for _, more := range []string{"--pcf=192.0.2.8", "--nrf=192.0.2.8"} {
		environment := exported(open5gs(t, "--gm", "192.0.2.7", "--gateway", "192.0.2.8", "--s6a", "192.0.2.7", "--only", "lab.sh", more))
		if len(environment) != 8 {
			t.Errorf("the environment is %q", environment)
		}

		for _, name := range []string{"pcscf", "hss"} {
			command := exec.Command(filepath.Join(binaries, name), "--check-config")
			command.Env = append(environment, "DIALTONE_PCSCF_DATA="+t.TempDir())

			if out, err := command.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		}
	}
}

// SIMs go from our HSS's export to documents, which our import reads as it reads Open5GS's own.
func TestOpen5GSSubscribers(t *testing.T) {
	sims := "imsi,msisdn,k,op,opc,amf,sqn\n" +
		"999700000000007,15550007,fec86ba6eb707ed08905757b1bb44b8f,,1006020f0a478bf6b699f15c062e42b3,8000,000000000040\n"

	command := exec.Command(filepath.Join(binaries, "lab"), "open5gs", "--gm", "192.0.2.7", "--sims", "-", "--only", "subscribers.json")
	command.Stdin = strings.NewReader(sims)

	documents, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}

	command = exec.Command(filepath.Join(binaries, "hss"), "subscriber", "import", "--format", "open5gs", "--dry-run", "-")
	command.Stdin = bytes.NewReader(documents)

	if out, err := command.CombinedOutput(); err != nil || !strings.Contains(string(out), "999700000000007") ||
		!strings.Contains(string(out), "15550007") {
		t.Errorf("%v\n%s\nof\n%s", err, out, documents)
	}
}

// freeDiameter, which is in every node of Open5GS, takes the lines of pcrf.conf and of mme.conf, and comes together with the P-CSCF and
// the HSS that have the environment of lab.sh.
func TestOpen5GSPeers(t *testing.T) {
	defer network.Alone(t).Close()

	addressed(t)

	// What Debian's freeDiameter is told of loopback it takes for all addresses: another port for the MME, which nobody connects to.
	for _, node := range []struct{ name, own, with, admin, peers string }{
		{name: "pcrf", own: `Realm = "localdomain"; ListenOn = "127.0.0.9";`, with: "pcscf", admin: "http://127.0.0.10:9090", peers: "/peers"},
		{name: "mme", own: `Port = 3870; ListenOn = "127.0.0.2";`, with: "hss", admin: "http://127.0.0.13:9090", peers: "/diameter/peers"},
	} {
		t.Run(node.name, func(t *testing.T) {
			folder := t.TempDir()
			conf := filepath.Join(folder, node.name+".conf")
			certificate, key := selfSigned(t, folder, node.name+".localdomain")
			only := func(name string) string {
				return open5gs(t, "--gm", "127.0.0.10", "--s6a", "127.0.0.13", "--only", name)
			}

			// As it comes with Open5GS, but for what listens elsewhere, and but for NoRelay: the applications are in Open5GS itself.
			lines := fmt.Sprintf(`Identity = "%s.localdomain";
%s
SecPort = 0;
No_SCTP;
TcTimer = 6;
TLS_Cred = %q, %q;
TLS_CA = %[3]q;
LoadExtension = "/usr/lib/freeDiameter/dict_nasreq.fdx";
LoadExtension = "/usr/lib/freeDiameter/dict_dcca.fdx";
LoadExtension = "/usr/lib/freeDiameter/dict_dcca_3gpp.fdx";
%[5]s`, node.name, node.own, certificate, key, only(node.name+".conf"))
			if err := os.WriteFile(conf, []byte(lines), 0o600); err != nil {
				t.Fatal(err)
			}

			function := exec.Command(filepath.Join(binaries, node.with))
			function.Env = append(os.Environ(), exported(only("lab.sh"))...)
			function.Env = append(function.Env, "DIALTONE_PCSCF_DATA="+folder, "DIALTONE_HSS_DATA="+folder)
			start(t, function)
			start(t, exec.Command("freeDiameterd", "-c", conf))

			connected := regexp.MustCompile(`"host": "` + node.name + `\.localdomain"[^}]*"state": "open"`)

			eventually(t, "freeDiameter and the function to come together", func() bool {
				var peers json.RawMessage
				err := httpapi.Local(node.admin).Do(t.Context(), "GET", node.peers, nil, &peers)

				return err == nil && connected.Match(peers)
			})
		})
	}
}

// start runs a command until the test ends; what it has said is shown if that fails.
func start(t *testing.T, command *exec.Cmd) {
	t.Helper()

	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	child.Bind(command, syscall.SIGTERM)

	if err := command.Start(); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait() // freeDiameter fails now and then as it ends

		if t.Failed() {
			t.Log(output.String())
		}
	})
}

// addressed has the tests' own network have an address that is not of loopback, without which freeDiameter does not start. Another network
// has one.
func addressed(t *testing.T) {
	t.Helper()

	if addresses, err := net.InterfaceAddrs(); err != nil || slices.ContainsFunc(addresses, func(a net.Addr) bool {
		own, found := a.(*net.IPNet)
		return found && !own.IP.IsLoopback() && own.IP.To4() != nil
	}) {
		return
	}

	for _, arguments := range []string{
		"link add diameter0 type veth peer name diameter1", "link set diameter1 up", "link set diameter0 up",
		"address add 192.0.2.5/24 dev diameter0",
	} {
		if out, err := exec.Command("ip", strings.Fields(arguments)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", arguments, err, out)
		}
	}

	t.Cleanup(func() {
		if out, err := exec.Command("ip", "link", "delete", "diameter0").CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// selfSigned makes the certificate that freeDiameter wants, also where TLS is off.
func selfSigned(t *testing.T, folder, name string) (certificate, key string) {
	t.Helper()

	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}

	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{name}}

	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}

	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}

	write := func(file, kind string, octets []byte) string {
		file = filepath.Join(folder, file)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: octets}), 0o600); err != nil {
			t.Fatal(err)
		}

		return file
	}

	return write("own.crt", "CERTIFICATE", signed), write("own.key", "EC PRIVATE KEY", secret)
}
