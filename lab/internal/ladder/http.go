package ladder

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/npcf"
)

// message is one message of N5.
type message struct {
	method   string // of a request
	path     string
	status   int // of an answer
	location string
	notify   string // where a new session wants its notifications: a path
}

// readHTTP reads a message as the trace has it; false if it cannot be read.
func readHTTP(data []byte) (m message, _ bool) {
	head, body, _ := bytes.Cut(data, []byte("\r\n\r\n"))
	text := bufio.NewReader(strings.NewReader(strings.Replace(string(head), "HTTP/2", "HTTP/2.0", 1) + "\r\n\r\n"))

	if bytes.HasPrefix(head, []byte("HTTP/")) {
		answer, err := http.ReadResponse(text, nil)
		if err != nil {
			return m, false
		}
		defer answer.Body.Close()

		return message{status: answer.StatusCode, location: pathOf(answer.Header.Get("Location"))}, true
	}

	request, err := http.ReadRequest(text)
	if err != nil {
		return m, false
	}

	m = message{method: request.Method, path: request.URL.Path}

	var asked npcf.AppSessionContext
	if err := json.Unmarshal(body, &asked); err == nil && asked.Request != nil {
		m.notify = pathOf(asked.Request.NotificationURI)
	}

	return m, true
}

func pathOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}

	return u.Path
}

// labelled returns the label and the detail of a message.
func (m message) labelled() (label, detail string) {
	if m.method == "" {
		return strconv.Itoa(m.status) + " " + http.StatusText(m.status), strings.TrimPrefix(m.location, npcf.Collection)
	}

	return m.method, m.path
}

// sessions gives the messages of HTTP the path of their application session, and answers the method of their request.
func sessions(steps []Step) {
	type exchange struct {
		request *Step
		of      message
	}

	var (
		exchanges = map[uint64]exchange{}
		notified  = map[string]string{} // sessions by where they want their notifications
	)

	for i := range steps {
		s := &steps[i]
		if s.Exchange == 0 {
			continue
		}

		m, _ := readHTTP(s.Data)
		if m.method != "" {
			exchanges[s.Exchange] = exchange{s, m}
			s.Session = strings.TrimSuffix(m.path, npcf.Delete)

			if below, _ := path.Split(m.path); notified[strings.TrimSuffix(below, "/")] != "" {
				s.Session = notified[strings.TrimSuffix(below, "/")]
			}

			continue
		}

		asked, found := exchanges[s.Exchange]
		if !found {
			continue
		}

		if m.location != "" {
			asked.request.Session = m.location
			notified[asked.of.notify] = m.location
		}

		s.Session = asked.request.Session
		s.Detail = strings.TrimSpace("(" + asked.of.method + ") " + s.Detail)
	}
}
