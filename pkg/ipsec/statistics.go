package ipsec

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// Statistic is one of the kernel's counters of packets dropped because of IPsec, of a whole network namespace.
type Statistic struct {
	Name  string // the kernel's own, such as XfrmInNoStates
	Count uint64
}

// statistics is Linux's file of the counters of the process's network namespace; only with CONFIG_XFRM_STATISTICS.
const statistics = "/proc/self/net/xfrm_stat"

// Statistics returns the kernel's counters; none, without an error, if the kernel does not count.
func Statistics() ([]Statistic, error) {
	file, err := os.Open(statistics)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}

	if err != nil {
		return nil, fmt.Errorf("ipsec: %w", err)
	}
	defer file.Close()

	all, err := readStatistics(file)
	if err != nil {
		return nil, fmt.Errorf("ipsec: %s: %w", statistics, err)
	}

	return all, nil
}

func readStatistics(r io.Reader) ([]Statistic, error) {
	var all []Statistic

	lines := bufio.NewScanner(io.LimitReader(r, 64<<10))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) != 2 {
			continue // a later kernel may have other lines
		}

		count, err := strconv.ParseUint(words[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", words[0], err)
		}

		all = append(all, Statistic{words[0], count})
	}

	return all, lines.Err()
}

// Meaning returns what it indicates in a laboratory when this counter moves.
func (s Statistic) Meaning() string {
	if text, known := meanings[s.Name]; known {
		return text
	}

	if strings.HasPrefix(s.Name, "XfrmOut") {
		return "the kernel could not protect a packet of ours (Documentation/networking/xfrm_proc.rst of Linux names the cause)"
	}

	return "the kernel dropped a packet that came (Documentation/networking/xfrm_proc.rst of Linux names the cause)"
}

// meanings are written for those who build a laboratory. For what the kernel does see its net/xfrm.
var meanings = map[string]string{
	"XfrmInNoStates": "ESP came with an SPI that is not known here: the handset uses associations that have ended or that a restart " +
		"removed, took other SPIs than Security-Server gave, or is another P-CSCF's. It registers again when its own " +
		"registration ends, or after airplane mode",
	"XfrmInStateProtoError": "the integrity of an ESP packet was wrong: the two ends have different keys or algorithms. Check K, OPc and " +
		"which algorithm the handset took of Security-Server (ipsec.announce); a NAT or an analyser that changes packets " +
		"does it, too",
	"XfrmInStateSeqError": "an ESP packet came twice or very late: a capture that is played back, two paths to the handset, or heavy " +
		"reordering",
	"XfrmInStateMismatch": "what was inside ESP is not between the addresses and ports that were agreed on: the handset sends from or to " +
		"another port than Security-Client and Security-Server name (port-c and port-s mixed up), or a NAT has changed its " +
		"address",
	"XfrmInTmplMismatch": "something came in clear between ports that have associations: the handset answers outside ESP, or the packet " +
		"gateway has taken ESP away",
	"XfrmInNoPols": "ESP was right, and no policy is there for what was in it: another program removed policies (ip xfrm policy flush), " +
		"or the guard of the protected ports is missing",
	"XfrmInPolBlock": "something came in clear to a protected port, and was dropped as it has to be: a scanner, a handset that sends its " +
		"REGISTER outside ESP, or the new packets of a handset whose associations have ended",
	"XfrmInStateExpired":   "ESP came by associations whose time was over while it was on its way",
	"XfrmInStateInvalid":   "ESP came by associations that were just being made or removed",
	"XfrmInStateModeError": "ESP was in another mode than transport mode: Security-Client said mod=trans and the handset does something else",
	"XfrmInHdrError": "the header of an ESP packet could not be read: cut off on the way, perhaps by an MTU that is too small for " +
		"fragments to pass",
	"XfrmInBufferError":   "there was no memory for a packet that came",
	"XfrmInPolError":      "a policy could not be used: the kernel is short of memory, or another program's policies are in the way",
	"XfrmInError":         "a packet was dropped before its association was looked at: more than a few nested headers, or no memory",
	"XfrmOutNoStates":     "something of ours had no association to go by: they ended while a message was on its way to the handset",
	"XfrmOutStateExpired": "a message to the handset was sent by associations whose time was over: its registration was not refreshed",
	"XfrmOutPolBlock": "something of ours to leave a protected port had no associations any more, and stayed here instead of going in " +
		"clear",
	"XfrmOutStateSeqError":  "associations have sent 2^32 packets; the handset must authenticate again",
	"XfrmOutStateInvalid":   "a message met associations that were just being made or removed",
	"XfrmOutPolDead":        "a message met a policy that was just being removed",
	"XfrmOutBundleGenError": "no path could be made for an outgoing packet: no route to the handset, or no memory",
	"XfrmAcquireError": "something was to leave by a policy that has no association: one of the two was removed by another program (ip " +
		"xfrm state flush)",
}
