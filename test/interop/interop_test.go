// Package interop tests the core against programs that are not ours: SIPp, with its own AKA, and tshark, which reads a capture of
// what went over the wire.
package interop

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dialtone-ims/dialtone/test/network"
)

func TestMain(m *testing.M) { network.Main(m) }

// SIPp takes K, OP and AMF as raw octets from its injection file, and none of them may be 00, 5b or 5d there.
const (
	k   = "Dialtone-test-K1"
	op  = "Dialtone-test-OP"
	amf = "AB"
)

const domain = network.Domain

type sipp struct {
	*testing.T
	dir string
}

// run has SIPp play a scenario at this address.
func (s *sipp) start(ctx context.Context, scenario, address, line string, more ...string) *exec.Cmd {
	s.Helper()

	injection := filepath.Join(s.dir, scenario+address+".csv")
	if err := os.WriteFile(injection, []byte("SEQUENTIAL\n"+line+"\n"), 0o600); err != nil {
		s.Fatal(err)
	}
	arguments := append([]string{
		"127.0.0.10:5060", "-sf", "testdata/" + scenario + ".xml", "-inf", injection, "-i", address, "-p", "5060", "-t", "u1", "-m", "1",
		"-nostdin", "-timeout", "30s", "-timeout_error", "-trace_err", "-error_file", filepath.Join(s.dir, scenario+address+".err"),
	}, more...)

	return exec.CommandContext(ctx, "sipp", arguments...)
}

func (s *sipp) errors(scenario, address string) string {
	text, _ := os.ReadFile(filepath.Join(s.dir, scenario+address+".err"))
	return string(text)
}

// register registers with SIPp's own AKA. SIPp cannot calculate with a RES that has a 00 octet, as one in 32 has, and so may try
// again.
func (s *sipp) register(ctx context.Context, imsi, address string) {
	s.Helper()

	line := fmt.Sprintf("%s;[authentication username=%s@%s aka_K=%s aka_OP=%s aka_AMF=%s]", imsi, imsi, domain, k, op, amf)

	var out []byte
	for range 4 {
		var err error
		if out, err = s.start(ctx, "register", address, line).CombinedOutput(); err == nil {
			return
		}
	}
	s.Fatalf("%s did not register:\n%s\n%s", imsi, s.errors("register", address), out[max(0, len(out)-2000):])
}

func TestSIPp(t *testing.T) {
	n := network.Start(t)
	s := &sipp{T: t, dir: t.TempDir()}

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()

	for i, imsi := range []string{"001010000000101", "001010000000102"} {
		n.HSS("POST", "/subscribers", map[string]any{
			"imsi": imsi, "msisdn": fmt.Sprintf("1555010%d", i+1),
			"authentication": map[string]string{
				"k":   hex.EncodeToString([]byte(k)),
				"op":  hex.EncodeToString([]byte(op)),
				"amf": hex.EncodeToString([]byte(amf)),
			},
		}, nil)
		n.OCS("POST", "/accounts", map[string]any{"name": imsi, "balance": 1000, "identities": []string{fmt.Sprintf("tel:+1555010%d", i+1)}}, nil)
	}

	capture := filepath.Join(s.dir, "capture.pcapng")
	stop := record(t, capture)

	s.register(ctx, "001010000000101", "127.0.2.1")
	s.register(ctx, "001010000000102", "127.0.2.2")

	// 127.0.2.1 calls 127.0.2.2, then the other way round: each both makes and receives a call.
	for _, call := range []struct{ from, to, imsi, number string }{
		{"127.0.2.1", "127.0.2.2", "001010000000101", "15550102"},
		{"127.0.2.2", "127.0.2.1", "001010000000102", "15550101"},
	} {
		callee := s.start(ctx, "callee", call.to, "x")
		if err := callee.Start(); err != nil {
			t.Fatal(err)
		}
		out, err := s.start(ctx, "caller", call.from, call.imsi+";"+call.number).CombinedOutput()
		if err != nil {
			t.Errorf("the caller: %v\n%s\n%s", err, s.errors("caller", call.from), out[max(0, len(out)-2000):])
		}
		if err := callee.Wait(); err != nil {
			t.Errorf("the callee: %v\n%s", err, s.errors("callee", call.to))
		}
	}

	n.Await("both calls to be settled, answer and all", func() bool {
		return strings.Contains(n.Metrics("scscf"), `dialtone_scscf_charging_total{outcome="2001",type="terminate"} 2`)
	})

	stop()
	examine(t, capture)
}

// record captures what goes over the loopback interface.
func record(t *testing.T, path string) (stop func()) {
	t.Helper()

	command := exec.Command("tshark", "-q", "-B", "32", "-i", "lo", "-w", path, "-f", "port 5060 or port 5070 or port 3868")
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}

	begun, said := make(chan bool, 1), make([]byte, 4096)
	go func() {
		var text strings.Builder
		for {
			n, err := stderr.Read(said)
			text.Write(said[:n])
			if strings.Contains(text.String(), "Capturing on") {
				begun <- true
				_, _ = stderr.Read(said) // until it ends
				return
			}
			if err != nil {
				begun <- false
				return
			}
		}
	}()
	if !<-begun {
		t.Fatal("tshark captures nothing on lo")
	}
	// tshark says so just before it does: wait until the file is there.
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()

	for deadline := time.Now().Add(20 * time.Second); ; <-tick.C {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("tshark writes no capture")
		}
	}

	return func() {
		untilNow(t, path)
		_ = command.Process.Signal(os.Interrupt)
		_ = command.Wait()
	}
}

// untilNow waits until a capture has all that was sent before: tshark may be behind, and loses the rest when it is stopped.
func untilNow(t *testing.T, path string) {
	t.Helper()

	mark := []byte("the capture has all until here")

	marker, err := net.Dial("udp", "127.0.0.1:3868") // nobody is there, and what is captured has this port
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = marker.Close() }()

	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()

	for deadline := time.Now().Add(20 * time.Second); ; <-tick.C {
		_, _ = marker.Write(mark) // every other one is refused, as nobody is there

		if captured, err := os.ReadFile(path); err == nil && bytes.Contains(captured, mark) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the capture does not get what was sent last")
		}
	}
}

// examine has tshark dissect the capture: nothing malformed, no AVP unknown, no expert error, every request answered.
func examine(t *testing.T, path string) {
	t.Helper()

	read := func(filter string, fields ...string) string {
		t.Helper()
		arguments := []string{
			"-2",
			"-r",
			path,
			"-d",
			"udp.port==5070,sip",
			"-d",
			"tcp.port==5070,sip",
			"-Y",
			filter,
			"-T",
			"fields",
			"-e",
			"frame.number",
		}
		for _, field := range fields {
			arguments = append(arguments, "-e", field)
		}
		out, err := exec.Command("tshark", arguments...).Output()
		if err != nil {
			t.Fatalf("tshark %s: %v", filter, err)
		}
		return strings.TrimSpace(string(out))
	}

	for what, filter := range map[string]string{
		"REGISTER": `sip.Method == "REGISTER"`,
		"UAR":      "diameter.cmd.code == 300 && diameter.flags.request == 1",
		"MAR":      "diameter.cmd.code == 303 && diameter.flags.request == 1",
		"SAR":      "diameter.cmd.code == 301 && diameter.flags.request == 1",
		"LIR":      "diameter.cmd.code == 302 && diameter.flags.request == 1",
		"CCR":      "diameter.cmd.code == 272 && diameter.flags.request == 1",
		"a BYE":    `sip.Method == "BYE"`,
	} {
		if read(filter) == "" {
			t.Errorf("the capture has no %s", what)
		}
	}

	for what, filter := range map[string]string{
		"malformed packets":              "_ws.malformed && (sip || diameter)",
		"unknown AVPs":                   "diameter.avp.unknown",
		"expert errors":                  "_ws.expert.severity == error && (sip || diameter)",
		"Diameter requests not answered": "diameter.flags.request == 1 && !diameter.answer_in && diameter.cmd.code != 282",
	} {
		if frames := read(filter, "_ws.col.Info", "_ws.expert.message"); frames != "" {
			t.Errorf("%s:\n%s", what, frames)
		}
	}

	// Every SIP request but ACK has a final response with its Call-ID, CSeq and top branch.
	type transaction struct{ branch, cseq string }
	open := map[transaction]string{}
	for line := range strings.Lines(read("sip", "sip.Method", "sip.Status-Code", "sip.Via.branch", "sip.CSeq")) {
		fields := strings.Split(strings.TrimRight(line, "\n"), "\t")
		for len(fields) < 5 {
			fields = append(fields, "")
		}
		branch, _, _ := strings.Cut(fields[3], ",")
		key := transaction{branch, fields[4]}
		switch {
		case fields[1] == "ACK":
		case fields[1] != "":
			open[key] = line
		case fields[2] >= "200":
			delete(open, key)
		}
	}
	for _, line := range open {
		t.Errorf("SIP request without final response: %s", line)
	}
}
