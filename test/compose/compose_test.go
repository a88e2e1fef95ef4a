// Package compose tests docker-compose.yml and the Dockerfile without an engine: what they say, and the built functions with it.
// `make compose-test` is the same with one.
package compose

import (
	"fmt"
	"go/version"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/config"
)

var functions = []string{"hss", "icscf", "ocs", "pcscf", "scscf"} // sorted

// dns is the service that is not started unless its profile is asked for.
const dns = "dns"

var binaries string

// TestMain builds the functions as the Dockerfile does.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "dialtone-compose")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaries = dir

	build := exec.Command(
		"go",
		"build",
		"-trimpath",
		"-ldflags",
		"-X github.com/dialtone-ims/dialtone/pkg/service.version=compose",
		"-o",
		dir+"/",
		"./pcscf",
		"./icscf",
		"./scscf",
		"./hss",
		"./ocs",
		"./lab",
	)
	build.Dir = "../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	status := 1
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
	} else {
		status = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(status)
}

// ask runs a function with nothing but the environment of its service.
func ask(t *testing.T, f file, name, flag string) string {
	t.Helper()

	command := exec.Command(filepath.Join(binaries, name), flag)
	command.Env = f.variables(name, "")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, flag, err, out)
	}

	return string(out)
}

func TestServices(t *testing.T) {
	f := read(t, nil)
	if got := slices.Sorted(maps.Keys(f.Services)); !slices.Equal(got, slices.Sorted(slices.Values(append(functions, dns)))) {
		t.Fatalf("the services are %v", got)
	}
	if _, err := f.order(); err != nil {
		t.Error(err)
	}

	subnet := netip.MustParsePrefix(f.Networks["ims"].IPAM.Config[0].Subnet)
	taken := map[string]string{subnet.Addr().Next().String(): "the gateway"}

	for name, s := range f.Services {
		address, err := netip.ParseAddr(f.address(name))
		if err != nil || !subnet.Contains(address) || taken[address.String()] != "" {
			t.Errorf("%s is at %s (%v): not in %s, or the address of %s", name, address, err, subnet, taken[address.String()])
		}
		taken[address.String()] = name

		for key := range s.Environment {
			prefix := "DIALTONE_" + strings.ToUpper(name) + "_"
			if name == dns { // which is no function: it asks one
				prefix = "DIALTONE_HSS_ADMIN_TOKEN"
			}
			if !strings.HasPrefix(key, prefix) && key != config.HomeVariable {
				t.Errorf("%s: %s does not begin with %s, so nobody reads it", name, key, prefix)
			}
		}
		for other, how := range s.DependsOn {
			if how.Condition != "service_healthy" {
				t.Errorf("%s waits for %s to be %q", name, other, how.Condition)
			}
		}
		for _, port := range s.Ports {
			if strings.HasSuffix(port, ":9090") != strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s: port %s: admin ports, and only those, are for this machine", name, port)
			}
			if taken[port] != "" {
				t.Errorf("%s and %s both publish %s", name, taken[port], port)
			}
			taken[port] = name
		}
		if !s.ReadOnly || s.Restart == "" || !slices.Equal(s.CapDrop, []string{"ALL"}) {
			t.Errorf("%s: read_only %v, restart %q, cap_drop %v", name, s.ReadOnly, s.Restart, s.CapDrop)
		}
		if slices.Contains(s.CapAdd, "NET_ADMIN") != (name == "pcscf") || len(s.CapAdd) > 1 {
			t.Errorf("%s: cap_add %v: the P-CSCF needs NET_ADMIN, and nobody anything else", name, s.CapAdd)
		}
	}
}

// Nothing of a lab on loopback is left, and the home network is one's own wherever it is written.
func TestSettings(t *testing.T) {
	const domain = "ims.mnc070.mcc999.3gppnetwork.org"
	ours := read(t, map[string]string{"IMS_DOMAIN": domain, "PCSCF_ADDRESS": "192.0.2.7"})

	for _, name := range functions {
		for _, f := range []file{read(t, nil), ours} {
			if said := ask(t, f, name, "--check-config"); !strings.Contains(said, "good") {
				t.Errorf("%s --check-config: %s", name, said)
			}
		}

		f := read(t, nil)
		if said := ask(t, f, name, "--version"); !strings.Contains(said, "version compose\n") {
			t.Errorf("%s does not say the version that the linker set: %s", name, said)
		}
		printed := ask(t, f, name, "--print-config")
		for line := range strings.Lines(printed) {
			if strings.Contains(line, "127.0.0.") && !strings.Contains(line, "127.0.0.0/8") {
				t.Errorf("%s is left at the lab's address: %s", name, line)
			}
		}
		if !strings.Contains(printed, "  address: "+f.address(name)+":9090\n") {
			t.Errorf("%s: its admin port is not at its own address %s", name, f.address(name))
		}

		if !strings.Contains(
			printed,
			"  allow_from:\n    - 127.0.0.0/8\n    - "+f.Networks["ims"].IPAM.Config[0].Subnet+"\n  names: []\n  token: \"\"\n  token_file: "+
				map[bool]string{true: "/tmp", false: "/data"}[name == "icscf"]+"/admin.token\n",
		) {
			t.Errorf("%s: its admin port is not for this machine and this network alone, with a token that is kept\n%s", name, printed)
		}

		if changed := ask(t, ours, name, "--print-config"); strings.Contains(changed, "mnc001") || !strings.Contains(changed, domain) {
			t.Errorf("%s: IMS_DOMAIN does not change all of\n%s", name, changed)
		} else if name == "pcscf" && !strings.Contains(changed, "advertise: 192.0.2.7\n") {
			t.Errorf("PCSCF_ADDRESS is not advertised:\n%s", changed)
		}

		keeps := regexp.MustCompile(`(?m)^data: `).MatchString(printed)
		volume := slices.Contains(f.Services[name].Volumes, name+":/data")
		_, declared := f.Volumes[name]
		if keeps != volume || keeps != declared || keeps && !strings.Contains(printed, "\ndata: /data\n") {
			t.Errorf("%s keeps data: %v; a volume at /data: %v, declared: %v", name, keeps, volume, declared)
		}
	}
}

func TestDockerfile(t *testing.T) {
	raw, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}

	has := regexp.MustCompile(`(?m)^ARG GO=(.+)$`).FindSubmatch(raw)
	wants := regexp.MustCompile(`(?m)^go (.+)$`).FindSubmatch(module)
	if has == nil || wants == nil {
		t.Fatal("no version of Go in Dockerfile or go.mod")
	}
	if version.Compare("go"+string(has[1]), version.Lang("go"+string(wants[1]))) < 0 { // a tag 1.26 is the newest 1.26
		t.Errorf("the Dockerfile builds with Go %s; go.mod wants %s", has[1], wants[1])
	}

	stages := map[string]string{}
	for _, text := range regexp.MustCompile(`(?m)^FROM `).Split(string(raw), -1)[1:] {
		if name := regexp.MustCompile(`(?i)^.* AS (\S+)\n`).FindStringSubmatch(text); name != nil {
			stages[name[1]] = text
		}
	}

	f := read(t, nil)
	for _, name := range functions {
		if f.Services[name].Build.Target != name {
			t.Errorf("%s is built from the target %q", name, f.Services[name].Build.Target)
		}
		stage := stages[name]
		lines := []string{
			"COPY --from=build /out/" + name + " /" + name, `ENTRYPOINT ["/` + name + `"]`, `CMD ["/` + name + `", "--healthy"]`,
		}
		if len(f.Services[name].Volumes) > 0 {
			lines = append(lines, "/empty/data /data", "VOLUME /data", "ENV DIALTONE_"+strings.ToUpper(name)+"_DATA=/data")
		}
		if name != "pcscf" {
			lines = append(lines, "USER 65532:65532")
		}
		for _, line := range lines {
			if !strings.Contains(stage, line) {
				t.Errorf("the stage %s lacks %q:\n%s", name, line, stage)
			}
		}
	}
}
