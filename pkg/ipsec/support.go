package ipsec

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Support is what a kernel supports of security associations.
type Support struct {
	Missing error           // why there can be none at all; nil when there can be
	Suites  map[Suite]error // why the kernel does not take a suite; nil when it does
}

// Suites lists all that can be agreed on, the preferred ones first: with encryption before without, the newer before the older.
var Suites = []Suite{
	{NoIntegrity, AESGCM},
	{HMACSHA256, AESCBC},
	{HMACSHA1, AESCBC},
	{HMACMD5, AESCBC},
	{HMACSHA1, DESEDE3CBC},
	{HMACMD5, DESEDE3CBC},
	{AESGMAC, NoEncryption},
	{HMACSHA256, NoEncryption},
	{HMACSHA1, NoEncryption},
	{HMACMD5, NoEncryption},
}

// ParseSuite parses "hmac-sha-1-96/aes-cbc", as String returns it.
func ParseSuite(text string) (Suite, error) {
	integrity, encryption, found := strings.Cut(strings.ToLower(strings.TrimSpace(text)), "/")
	s := Suite{Integrity(integrity), Encryption(encryption)}

	if !found || !slices.Contains(Suites, s) {
		return Suite{}, fmt.Errorf("%q is none of %v", text, Suites)
	}

	return s, nil
}

// Has reports whether the kernel supports a suite.
func (s Support) Has(suite Suite) bool {
	why, asked := s.Suites[suite]

	return s.Missing == nil && asked && why == nil
}

// Print writes the support as a table.
func (s Support) Print(w io.Writer) error {
	if s.Missing != nil {
		_, err := fmt.Fprintf(w, "no security associations: %v\n", s.Missing)
		return err
	}

	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "integrity\tencryption\tkernel")

	for _, suite := range Suites {
		says := "yes"
		if !s.Has(suite) {
			says = "no: " + strings.ReplaceAll(fmt.Sprint(s.Suites[suite]), "\n", "; ")
		}

		fmt.Fprintf(table, "%s\t%s\t%s\n", suite.Integrity, suite.Encryption, says)
	}

	return table.Flush()
}
