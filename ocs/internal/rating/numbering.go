package rating

import (
	"errors"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// Numbering is how the payers dial numbers, so that all can be rated in international form.
type Numbering struct {
	International []string `yaml:"international_prefixes"` // dialled before a country code
	CountryCode   string   `yaml:"country_code"`           // of national numbers; empty: they are not changed
	Trunk         string   `yaml:"trunk_prefix"`           // dialled before a national number
}

// Validate returns an error if a prefix is no number.
func (n *Numbering) Validate() error {
	for _, prefix := range append([]string{n.CountryCode, n.Trunk}, n.International...) {
		if strings.Trim(prefix, "0123456789") != "" {
			return errors.New("credit.numbering: prefixes and country_code are digits")
		}
	}

	return nil
}

// Normalise returns the number of a tel URI, or of a sip URI whose user part is one, in international form: "+" and digits. Numbers that
// are neither international nor national (112, *100#) stay as they are. For a URI without a number it returns "".
func (n *Numbering) Normalise(uri string) string {
	if !strings.Contains(uri, ":") { // some clients send the bare number
		uri = "tel:" + uri
	}

	number := ims.Number(ims.EscapeNumber(uri)) // foreign clients send a raw #
	if number == "" || number[0] == '+' {
		return number
	}

	for _, prefix := range n.International {
		if rest, found := strings.CutPrefix(number, prefix); found && prefix != "" && rest != "" {
			return "+" + rest
		}
	}

	if n.CountryCode != "" && n.Trunk != "" {
		if rest, found := strings.CutPrefix(number, n.Trunk); found && rest != "" {
			return "+" + n.CountryCode + rest
		}
	}

	return number
}
