package asregister

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// copied are header fields of the handset's REGISTER that the application server gets too (§5.4.1.7).
var copied = []string{"P-Access-Network-Info", "P-Visited-Network-ID", "Cellular-Network-Info"}

const messageSIP = "message/sip"

// part is one body part.
type part struct {
	kind string
	body []byte
}

// register returns the third-party REGISTER for one application server.
func (s *Server) register(c registration.Change, t triggered, now time.Time) (*sip.Request, error) {
	r, err := sip.NewRequest("REGISTER", t.match.Server)
	if err != nil {
		return nil, err
	}

	from, to := "<"+s.serverName+">;tag="+sip.NewTag(), "<"+t.public+">"
	if r, err = sip.Complete(r, from, to, sip.NewCallID(), 1); err != nil {
		return nil, err
	}

	sip.Set(r, "Contact", "<"+s.serverName+">")
	sip.Set(r, "Expires", strconv.Itoa(expires(c, now)))

	vector := ims.ChargingVector{ICID: ims.NewICID(), OriginatingIOI: s.homeDomain}

	if c.Request != nil {
		if v := ims.ParseChargingVector(sip.Value(c.Request, "P-Charging-Vector")); v.ICID != "" {
			vector.ICID = v.ICID
		}

		for _, name := range copied {
			for _, value := range sip.Values(c.Request, name) {
				sip.Add(r, name, value)
			}
		}
	}

	if c.Response != nil {
		if functions := sip.Value(c.Response, "P-Charging-Function-Addresses"); functions != "" {
			sip.Set(r, "P-Charging-Function-Addresses", functions)
		}
	}

	sip.Set(r, "P-Charging-Vector", vector.String())

	body := parts(c, t.match)
	if octets := size(body); octets > s.maxBody { // the server learns of the registration without it, too
		s.log.Warn(
			"a third-party REGISTER goes without the messages of the handset: they are too large",
			"server", t.match.Server,
			"impu", t.public,
			"octets", octets,
		)
		body = slices.DeleteFunc(body, func(p part) bool { return p.kind == messageSIP })
	}

	setBody(r, body)

	return r, nil
}

func size(parts []part) (octets int) {
	for _, p := range parts {
		octets += len(p.body)
	}

	return octets
}

// expires returns how long the user will be registered: as long as the contact that lasts longest.
func expires(c registration.Change, now time.Time) int {
	if c.Type == ifc.DeRegistration || c.After == nil {
		return 0
	}

	longest := time.Duration(0)
	for _, b := range c.After.Bindings {
		longest = max(longest, b.Expires.Sub(now))
	}

	return int(longest.Round(time.Second) / time.Second)
}

// parts returns the body parts that the criterion asks for: its service information, and the messages that the handset exchanged.
func parts(c registration.Change, m ifc.Match) []part {
	var all []part

	if m.ServiceInfo != "" {
		var b bytes.Buffer

		b.WriteString(xml.Header + `<ims-3gpp version="1"><service-info>`)
		_ = xml.EscapeText(&b, []byte(m.ServiceInfo)) // a buffer never fails
		b.WriteString(`</service-info></ims-3gpp>`)
		all = append(all, part{"application/3gpp-ims+xml", b.Bytes()})
	}

	if m.IncludeRequest && c.Request != nil {
		all = append(all, part{messageSIP, []byte(c.Request.String())})
	}

	if m.IncludeResponse && c.Response != nil {
		all = append(all, part{messageSIP, []byte(c.Response.String())})
	}

	return all
}

func setBody(r *sip.Request, parts []part) {
	switch len(parts) {
	case 0:
		r.SetBody(nil)
	case 1:
		sip.Set(r, "Content-Type", parts[0].kind)
		r.SetBody(parts[0].body)
	default:
		separator := boundary(parts)
		sip.Set(r, "Content-Type", "multipart/mixed;boundary="+separator)

		var b bytes.Buffer
		for _, p := range parts {
			fmt.Fprintf(&b, "--%s\r\nContent-Type: %s\r\n\r\n%s\r\n", separator, p.kind, p.body)
		}

		fmt.Fprintf(&b, "--%s--\r\n", separator)
		r.SetBody(b.Bytes())
	}
}
