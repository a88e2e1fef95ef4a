package ims

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/sip/grammar"
)

// IPsec3GPP is the mechanism of IMS access security (TS 33.203 annex H).
const IPsec3GPP = "ipsec-3gpp"

// SecurityMechanism is one value of Security-Client, Security-Server or Security-Verify (RFC 3329 §2.2, TS 33.203 annex H).
// Parameters that handsets leave out have the defaults of the annex: prot=esp, mod=trans, ealg=null.
type SecurityMechanism struct {
	Name                string // in lower case
	Preference          int    // q in thousandths; NoPreference if there is none
	Protocol            string // "esp"
	Mode                string // "trans", "tun", "udp-enc-tun"
	Algorithm           string // integrity: "hmac-sha-1-96", "hmac-md5-96", "aes-gmac", "null"
	EncryptionAlgorithm string // "aes-cbc", "aes-gcm", "des-ede3-cbc", "null"
	SPIClient           uint32 // spi-c
	SPIServer           uint32 // spi-s
	PortClient          uint16 // port-c
	PortServer          uint16 // port-s

	Text   string         // as it came; String gives it back to the letter
	Params grammar.Params // all of them, in their order; for a mechanism that is built, those besides the fields above

	problem error
}

// NoPreference is the Preference of a mechanism without q.
const NoPreference = -1

// errNotUsable is the error for a mechanism that allows no security associations.
var errNotUsable = errors.New("ims: the security mechanism is not usable")

// ParseSecurity parses the values of all fields of one security header, in order. Handsets write parameters in any order, with any
// spacing, in any case, with or without quotes. A value that makes no sense does not affect the others; its Usable returns the reason.
func ParseSecurity(fields ...string) ([]SecurityMechanism, error) {
	values, err := list(fields)
	if err != nil {
		return nil, err
	}

	all := make([]SecurityMechanism, 0, len(values))

	for _, value := range values {
		m, err := parseMechanism(value)
		if err != nil {
			return nil, err
		}

		all = append(all, m)
	}

	return all, nil
}

func parseMechanism(text string) (SecurityMechanism, error) {
	name, params, err := grammar.ParseValue(text)

	switch {
	case err != nil:
		return SecurityMechanism{}, err
	case strings.HasPrefix(text, `"`):
		return SecurityMechanism{}, fmt.Errorf("%w: quotes in %q", grammar.ErrSyntax, clip(text))
	}

	m := SecurityMechanism{
		Name: strings.ToLower(name), Preference: NoPreference, Protocol: "esp", Mode: "trans", EncryptionAlgorithm: "null",
		Text: text, Params: params,
	}
	seen := map[string]bool{}

	for _, p := range params {
		key := strings.ToLower(p.Name)
		if seen[key] {
			m.complain("%s comes twice", key)
		}

		seen[key] = true
		m.set(key, strings.ToLower(p.Text()))
	}

	return m, nil
}

func (m *SecurityMechanism) set(name, value string) {
	switch name {
	case "q":
		m.Preference = m.thousandths(value)
	case "prot":
		m.Protocol = value
	case "mod":
		m.Mode = value
	case "alg":
		m.Algorithm = value
	case "ealg":
		m.EncryptionAlgorithm = value
	case "spi-c":
		m.SPIClient = uint32(m.number(name, value, 32))
	case "spi-s":
		m.SPIServer = uint32(m.number(name, value, 32))
	case "port-c":
		m.PortClient = uint16(m.number(name, value, 16))
	case "port-s":
		m.PortServer = uint16(m.number(name, value, 16))
	}
}

func (m *SecurityMechanism) number(name, value string, bits int) uint64 {
	n, err := strconv.ParseUint(value, 10, bits)
	if err != nil {
		m.complain("%s is %q", name, clip(value))
		return 0
	}

	return n
}

func (m *SecurityMechanism) thousandths(q string) int {
	whole, fraction, _ := strings.Cut(q, ".")

	n, err := strconv.ParseUint(whole+(fraction + "000")[:3], 10, 16)
	if err != nil || n > 1000 || whole == "" || len(fraction) > 3 {
		m.complain("q is %q", clip(q))
		return NoPreference
	}

	return int(n)
}

func (m *SecurityMechanism) complain(format string, arguments ...any) {
	if m.problem == nil {
		m.problem = fmt.Errorf("%w: "+format, append([]any{errNotUsable}, arguments...)...)
	}
}

// The first SPI values are reserved (RFC 4303 §2.1).
const firstSPI = 256

// Usable returns an error if no security associations can be made from an ipsec-3gpp mechanism (TS 33.203 §7.1, §7.2). Whether this
// side supports its algorithms is for the caller to check.
func (m *SecurityMechanism) Usable() error {
	switch {
	case m.problem != nil:
		return m.problem
	case m.Name != IPsec3GPP:
		return fmt.Errorf("%w: mechanism %q", errNotUsable, clip(m.Name))
	case m.Protocol != "esp":
		return fmt.Errorf("%w: prot is %q", errNotUsable, clip(m.Protocol))
	case m.Algorithm == "" && m.EncryptionAlgorithm != "aes-gcm": // which protects the integrity as well
		return fmt.Errorf("%w: alg is missing", errNotUsable)
	case m.SPIClient < firstSPI || m.SPIServer < firstSPI || m.SPIClient == m.SPIServer:
		return fmt.Errorf("%w: spi-c is %d and spi-s is %d", errNotUsable, m.SPIClient, m.SPIServer)
	case m.PortClient == 0 || m.PortServer == 0 || m.PortClient == m.PortServer:
		return fmt.Errorf("%w: port-c is %d and port-s is %d", errNotUsable, m.PortClient, m.PortServer)
	default:
		return nil
	}
}

// String returns a parsed mechanism as it came, and any other in the order of annex H.
func (m SecurityMechanism) String() string {
	if m.Text != "" {
		return m.Text
	}

	var b strings.Builder

	b.WriteString(m.Name)

	if m.Preference != NoPreference {
		fmt.Fprintf(&b, ";q=%s", decimal(m.Preference))
	}

	for _, p := range [...]struct{ name, value string }{
		{"alg", m.Algorithm},
		{"prot", m.Protocol},
		{"mod", m.Mode},
		{"ealg", m.EncryptionAlgorithm},
	} {
		if p.value != "" {
			b.WriteByte(';')
			b.WriteString(grammar.NewParam(p.name, p.value).String())
		}
	}

	if m.SPIClient != 0 || m.SPIServer != 0 {
		fmt.Fprintf(&b, ";spi-c=%d;spi-s=%d;port-c=%d;port-s=%d", m.SPIClient, m.SPIServer, m.PortClient, m.PortServer)
	}

	b.WriteString(m.Params.String())

	return b.String()
}

func decimal(thousandths int) string {
	return strconv.FormatFloat(float64(thousandths)/1000, 'f', -1, 64)
}

// FormatSecurity returns mechanisms as one header field value.
func FormatSecurity(mechanisms []SecurityMechanism) string {
	texts := make([]string, len(mechanisms))
	for i, m := range mechanisms {
		texts[i] = m.String()
	}

	return strings.Join(texts, ", ")
}

// SameSecurity reports whether the Security-Verify of a handset repeats the Security-Server that it was sent (RFC 3329 §2.3.1):
// the same mechanisms with the same parameters. Spacing, case, quotes and order do not matter, nor whether a parameter with
// its default value is written.
func SameSecurity(sent, verify []SecurityMechanism) bool {
	return len(sent) == len(verify) && slices.Equal(canonicalSecurity(sent), canonicalSecurity(verify))
}

func canonicalSecurity(mechanisms []SecurityMechanism) []string {
	texts := make([]string, len(mechanisms))

	for i, m := range mechanisms {
		if m.Text == "" { // what was built has its fields outside Params
			if parsed, err := parseMechanism(m.String()); err == nil {
				m = parsed
			}
		}

		texts[i] = m.canonical()
	}

	slices.Sort(texts)

	return texts
}

func (m SecurityMechanism) canonical() string {
	var parts []string

	for _, p := range m.Params {
		name, value := strings.ToLower(p.Name), strings.ToLower(p.Text())

		switch {
		case name == "prot" && value == "esp", name == "mod" && value == "trans", name == "ealg" && value == "null":
			continue
		case name == "q" && m.Preference != NoPreference:
			value = decimal(m.Preference)
		case strings.HasPrefix(name, "spi-"), strings.HasPrefix(name, "port-"):
			if trimmed := strings.TrimLeft(value, "0"); trimmed != "" { // some write SPI values with leading zeros
				value = trimmed
			}
		}

		parts = append(parts, name+"="+strconv.Quote(value))
	}

	slices.Sort(parts)

	return m.Name + ";" + strings.Join(parts, ";")
}
