// Package enum resolves telephone numbers to SIP URIs in DNS (RFC 6116, RFC 3764).
package enum

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pkg/lookup"
)

// Config is where numbers are looked up.
type Config struct {
	Apex    string        `yaml:"apex"`    // the domain below which numbers are names; empty: none is looked up
	Servers []string      `yaml:"servers"` // DNS servers as ip:port; without any, those of the system
	Timeout time.Duration `yaml:"timeout"` // per question
}

// DefaultConfig returns a configuration that looks nothing up.
func DefaultConfig() Config { return Config{Timeout: time.Second} }

// Validate returns an error if the configuration cannot work.
func (c *Config) Validate() error {
	if _, ok := dns.IsDomainName(c.Apex); !ok && c.Apex != "" {
		return fmt.Errorf("enum.apex: %q is no domain", c.Apex)
	}

	if c.Timeout <= 0 {
		return errors.New("enum.timeout must be positive")
	}

	if _, err := lookup.New(c.Servers, c.Timeout); err != nil {
		return fmt.Errorf("enum.servers: %w", err)
	}

	return nil
}

// asker is DNS.
type asker interface {
	Ask(ctx context.Context, name string, kind uint16) ([]dns.RR, error)
}

// Translator translates numbers to SIP URIs.
type Translator struct {
	apex     string
	dns      asker
	outcomes *prometheus.CounterVec
}

// New returns a translator; nil without an apex.
func New(c Config, registerer prometheus.Registerer) (*Translator, error) {
	if c.Apex == "" {
		return nil, nil
	}

	client, err := lookup.New(c.Servers, c.Timeout)
	if err != nil {
		return nil, fmt.Errorf("enum.servers: %w", err)
	}

	return newTranslator(c.Apex, client, registerer), nil
}

func newTranslator(apex string, client asker, registerer prometheus.Registerer) *Translator {
	t := &Translator{apex: apex, dns: client, outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dialtone_enum_translations_total", Help: "Numbers looked up by ENUM, by outcome.",
	}, []string{"outcome"})}

	if registerer != nil {
		registerer.MustRegister(t.outcomes)
	}

	return t
}

// Translate returns the URI for a number, "+" and its digits; "" if ENUM has none. An error means that DNS gave no answer.
func (t *Translator) Translate(ctx context.Context, number string) (uri string, err error) {
	uri, err = t.translate(ctx, number)

	outcome := "found"

	switch {
	case err != nil:
		outcome = "failed"
	case uri == "":
		outcome = "none"
	}

	t.outcomes.WithLabelValues(outcome).Inc()

	return uri, err
}

func (t *Translator) translate(ctx context.Context, number string) (string, error) {
	name, ok := domain(number, t.apex)
	if !ok {
		return "", nil
	}

	const names = 5 // that one number may lead to (RFC 6116)

	for range names {
		records, err := t.dns.Ask(ctx, name, dns.TypeNAPTR)

		switch {
		case errors.Is(err, lookup.ErrNone):
			return "", nil
		case err != nil:
			return "", fmt.Errorf("enum: %w", err)
		}

		uri, next := choose(number, lookup.Only[*dns.NAPTR](records))
		if next == "" {
			return uri, nil
		}

		name = next
	}

	return "", fmt.Errorf("enum: %s leads to more than %d names", number, names)
}

// domain returns the name of a number: its digits from the last to the first (RFC 6116).
func domain(number, apex string) (string, bool) {
	const longest = 15 // digits of E.164

	digits, found := strings.CutPrefix(number, "+")
	if !found || digits == "" || len(digits) > longest || strings.Trim(digits, "0123456789") != "" {
		return "", false
	}

	var b strings.Builder

	for _, d := range slices.Backward([]byte(digits)) {
		b.WriteByte(d)
		b.WriteByte('.')
	}

	return b.String() + dns.Fqdn(apex), true
}

// choose returns the first record, by order and then by preference, that leads to a SIP URI, or to another name (RFC 6116). Records of
// other services, or unusable ones, count as absent.
func choose(number string, records []*dns.NAPTR) (uri, next string) {
	slices.SortStableFunc(records, func(a, b *dns.NAPTR) int {
		if a.Order != b.Order {
			return int(a.Order) - int(b.Order)
		}

		return int(a.Preference) - int(b.Preference)
	})

	for _, r := range records {
		switch {
		case strings.EqualFold(r.Flags, "u") && isSIP(r.Service):
			uri, err := substitute(unescape(r.Regexp), number)
			if err == nil && (hasScheme(uri, "sip") || hasScheme(uri, "sips")) {
				return uri, ""
			}
		case r.Flags == "" && r.Service == "" && r.Regexp == "" && r.Replacement != "." && r.Replacement != "":
			return "", r.Replacement
		}
	}

	return "", ""
}

// isSIP reports whether a service is E2U with sip among its types (RFC 6116, RFC 3764). A subtype makes it another service.
func isSIP(service string) bool {
	kind, types, _ := strings.Cut(service, "+")

	return strings.EqualFold(kind, "E2U") &&
		slices.ContainsFunc(strings.Split(types, "+"), func(t string) bool { return strings.EqualFold(t, "sip") })
}

func hasScheme(uri, scheme string) bool {
	return len(uri) > len(scheme)+1 && uri[len(scheme)] == ':' && strings.EqualFold(uri[:len(scheme)], scheme)
}
