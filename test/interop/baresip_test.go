package interop

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
)

// baresip is controlled by its module ctrl_tcp: JSON in netstrings.
type baresip struct {
	*program
	control net.Conn
}

func newBaresip(t *testing.T, a account, transport, name string) *baresip {
	t.Helper()

	b := &baresip{program: newProgram(t, a)}
	b.file(
		"accounts",
		fmt.Sprintf(
			"<sip:%[1]s@%[2]s;transport=%[3]s>;auth_user=%[1]s@%[2]s;auth_pass=%[4]s;outbound=\"sip:%[5]s;transport=%[3]s\";regint=%[6]d\n",
			a.name,
			domain,
			strings.ToLower(transport),
			a.password,
			proxy,
			interval,
		),
	)
	b.file("config", `poll_method epoll
sip_listen 10.8.1.2:5060
call_max_calls 4
audio_player aubridge,phone
audio_source aubridge,phone
audio_alert none,
module_path /usr/lib/baresip/modules
module g711.so
module aubridge.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 10.8.1.2:4444
`)
	b.run(name+"-1", "baresip", "-f", b.dir)
	b.control = b.connect("tcp", "10.8.1.2:4444")

	go b.read()

	return b
}

var ofBaresip = map[string]string{
	"REGISTER_OK": registered, "CALL_INCOMING": incoming, "CALL_RINGING": ringing, "CALL_ESTABLISHED": talking, "CALL_CLOSED": ended,
}

// read takes the events.
func (b *baresip) read() {
	decoder := json.NewDecoder(netstrings{b.control})

	for {
		var said struct{ Type, Direction, Param string }
		if decoder.Decode(&said) != nil {
			return
		}

		if event, known := ofBaresip[said.Type]; known {
			b.happened(event)
		}

		if said.Type == "CALL_REMOTE_SDP" && said.Param == "offer" { // of a call that comes, of a hold and of its end
			b.happened(held)
			b.happened(resumed)
		}
	}
}

// netstrings takes the frames away: what is left is JSON, one object behind the other.
type netstrings struct{ net.Conn }

func (n netstrings) Read(b []byte) (int, error) {
	var length []byte

	for one := make([]byte, 1); ; length = append(length, one[0]) {
		if _, err := n.Conn.Read(one); err != nil {
			return 0, err
		}

		if one[0] == ':' {
			break
		}
	}

	size, err := strconv.Atoi(strings.Trim(string(length), ",\n"))
	if err != nil || size > len(b) {
		return 0, fmt.Errorf("netstring of %q", length)
	}

	for at := 0; at < size; {
		k, err := n.Conn.Read(b[at:size])
		if err != nil {
			return 0, err
		}

		at += k
	}

	return size, nil
}

func (b *baresip) do(command, parameters string) {
	text, _ := json.Marshal(map[string]string{"command": command, "params": parameters})
	if _, err := fmt.Fprintf(b.control, "%d:%s,", len(text), text); err != nil {
		b.t.Error(err)
	}
}

func (b *baresip) dial(uri string) { b.do("dial", uri) }
func (b *baresip) answer()         { b.do("accept", "") }
func (b *baresip) hangUp()         { b.do("hangup", "") }
func (b *baresip) hold()           { b.do("hold", "") }
func (b *baresip) resume()         { b.do("resume", "") }
