package compose

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/child"
)

// The image of the name server has the binary that its service runs, which is not root, and may listen at port 53.
func TestNameServerService(t *testing.T) {
	raw, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}

	stage := regexp.MustCompile(`(?ms)^FROM function AS dns\n(.*)\z`).FindSubmatch(raw)
	if stage == nil {
		t.Fatal("there is no stage dns")
	}

	for _, line := range []string{"COPY --from=build /out/lab /lab", "USER 65532:65532", `ENTRYPOINT ["/lab", "dns"]`} {
		if !strings.Contains(string(stage[1]), line+"\n") {
			t.Errorf("the stage lacks %q", line)
		}
	}

	s := read(t, nil).Services[dns]
	if s.Build.Target != dns || !slices.Equal(s.Profiles, []string{dns}) || s.Sysctls["net.ipv4.ip_unprivileged_port_start"] != "53" {
		t.Errorf("the service is %+v", s)
	}

	if len(s.Healthcheck.Test) < 4 || !slices.Equal(s.Healthcheck.Test[:4], []string{"CMD", "/lab", "dns", "--healthy"}) ||
		!slices.Contains(s.Command, s.Healthcheck.Test[4]) {
		t.Errorf("its health is asked by %v, and it is started by %v", s.Healthcheck.Test, s.Command)
	}
}

// The name server, with the environment and the command of its service, tells where the others are, and whose the numbers are.
func TestNameServer(t *testing.T) {
	const domain = "ims.mnc070.mcc999.3gppnetwork.org"

	c := start(t, read(t, map[string]string{"IMS_DOMAIN": domain, "ADMIN_TOKEN": "secret"}))
	s := c.file.Services[dns]

	lab := func(arguments ...string) *exec.Cmd {
		all := slices.Concat([]string{"netns", "exec", c.namespace, filepath.Join(binaries, "lab"), "dns"}, arguments)
		command := exec.CommandContext(t.Context(), "ip", all...)
		command.Env = append(c.file.variables(dns, ""), "PATH="+os.Getenv("PATH"))

		return command
	}

	log, err := os.Create(filepath.Join(c.data, "dns.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()

	server := exec.Command("ip", lab(s.Command...).Args[1:]...)
	server.Env = lab().Env
	server.Stdout, server.Stderr = log, log
	child.Bind(server, syscall.SIGKILL)

	if err := server.Start(); err != nil {
		t.Fatal(err)
	}

	defer func() {
		_ = server.Process.Signal(syscall.SIGTERM)

		if err := server.Wait(); err != nil {
			text, _ := os.ReadFile(log.Name())
			t.Errorf("it ends with %v\n%s", err, text)
		}
	}()

	var said []byte

	c.await("the name server to be healthy", func() bool {
		said, err = lab(s.Healthcheck.Test[3:]...).CombinedOutput()
		return err == nil
	}, &said)

	c.ask("hss", "subscriber", "add", "--imsi", "999700000000001", "--msisdn", "15550001", "--k", k, "--opc", opc)

	for question, want := range map[string]string{
		"pcscf." + domain + " A":                       "172.30.10.10",
		"_sip._udp." + domain + " SRV":                 "icscf." + domain,
		"scscf." + domain + " A":                       "172.30.10.12",
		"hss.epc.mnc070.mcc999.3gppnetwork.org A":      "172.30.10.13",
		"1.0.0.0.5.5.5.1.e164.arpa NAPTR":              "sip:+15550001@" + domain,
		"mnc070.mcc999.pub.3gppnetwork.org SOA +short": "ns.mnc070.mcc999.pub.3gppnetwork.org.",
	} {
		c.await(question, func() bool {
			arguments := append([]string{"netns", "exec", c.namespace, "dig", "@" + c.file.address(dns)}, strings.Fields(question)...)
			said, err = exec.CommandContext(t.Context(), "ip", arguments...).CombinedOutput()

			return err == nil && strings.Contains(string(said), want)
		}, &said)
	}
}
