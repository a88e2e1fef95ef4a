package rating

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Percent is a percentage in thousandths: 19, 8.1 and 7.125 can be written.
type Percent int64

const (
	percentDigits = 3
	wholePercent  = 100_000 // 100 %
)

var errPercent = errors.New("a percentage is a number between 0 and 100 with at most three decimals")

func parsePercent(text string) (Percent, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	if whole == "" || len(whole) > 3 || len(fraction) > percentDigits || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, errPercent
	}

	value := Percent(0)
	for _, digit := range whole + fraction + strings.Repeat("0", percentDigits-len(fraction)) {
		value = value*10 + Percent(digit-'0')
	}

	if value > wholePercent {
		return 0, errPercent
	}

	return value, nil
}

// String returns the percentage as it is written.
func (p Percent) String() string {
	text := fmt.Sprintf("%d.%03d", p/1000, p%1000)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// MarshalJSON writes a number.
func (p Percent) MarshalJSON() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalJSON reads a number without passing through floating point.
func (p *Percent) UnmarshalJSON(text []byte) (err error) {
	var number json.Number
	if err := json.Unmarshal(text, &number); err != nil {
		return errPercent
	}

	*p, err = parsePercent(number.String())

	return err
}

// MarshalYAML writes a number.
func (p Percent) MarshalYAML() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalYAML reads a number without passing through floating point.
func (p *Percent) UnmarshalYAML(node ast.Node) (err error) {
	if *p, err = parsePercent(strings.TrimSpace(node.GetToken().Value)); err != nil {
		return Faults{{Line: node.GetToken().Position.Line, Text: err.Error()}}
	}

	return nil
}

// of returns this percentage of an amount.
func (p Percent) of(amount *big.Rat) *big.Rat {
	return new(big.Rat).Mul(amount, big.NewRat(int64(p), wholePercent))
}
