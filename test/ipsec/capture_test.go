//go:build esp

package ipsec

import (
	"bufio"
	"net/netip"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tcpdump is a capture of the link.
type tcpdump struct {
	*testing.T
	command *exec.Cmd
	file    string
}

func capture(t *testing.T) *tcpdump {
	t.Helper()

	w := &tcpdump{T: t, file: filepath.Join(t.TempDir(), "gm.pcap")}
	w.command = exec.Command("tcpdump", "-i", "gm", "-U", "--immediate-mode", "-Z", "root", "-w", w.file)

	errors, err := w.command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}

	if err := w.command.Start(); err != nil {
		t.Fatal(err)
	}

	lines := bufio.NewScanner(errors)
	for lines.Scan() && !strings.Contains(lines.Text(), "listening") {
	}

	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = w.command.Process.Kill(); _ = w.command.Wait() })

	return w
}

// split gives what a handset exchanged in clear, as far as there was anything in it, and the number of ESP packets.
func (w *tcpdump) split(handset netip.Addr) (inClear []string, inESP int) {
	w.Helper()

	// Fragments of ESP have no SPI to be seen, and are no clear text.
	out, err := exec.Command("tcpdump", "-n", "-r", w.file, "host "+handset.String()+" and not arp and not icmp6").Output()
	if err != nil {
		w.Fatal(err)
	}

	empty := regexp.MustCompile(`Flags .* length 0$`)

	for line := range strings.Lines(string(out)) {
		switch line = strings.TrimSpace(line); {
		case strings.Contains(line, "ESP(") || strings.Contains(line, "ip-proto-50") || strings.Contains(line, "frag"):
			inESP++
		case !empty.MatchString(line):
			inClear = append(inClear, line)
		}
	}

	return inClear, inESP
}
