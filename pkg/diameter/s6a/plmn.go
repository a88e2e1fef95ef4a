package s6a

import (
	"errors"
	"fmt"
	"strings"
)

// PLMN is a mobile network.
type PLMN struct{ MCC, MNC string }

var errPLMN = errors.New("a Visited-PLMN-Id is three octets of decimal digits, as TS 29.272 §7.3.9 has them")

// ParsePLMN reads a Visited-PLMN-Id: three octets, MCC2|MCC1, MNC3|MCC3, MNC2|MNC1, with 1111 for the third digit of an MNC of two
// (TS 29.272 §7.3.9).
func ParsePLMN(octets []byte) (PLMN, error) {
	if len(octets) != 3 {
		return PLMN{}, errPLMN
	}

	low := func(i int) byte { return '0' + octets[i]&0xF }
	high := func(i int) byte { return '0' + octets[i]>>4 }

	mcc, mnc := []byte{low(0), high(0), low(1)}, []byte{low(2), high(2)}
	if octets[1]>>4 != 0xF {
		mnc = append(mnc, high(1))
	}

	for _, digit := range append(append([]byte(nil), mcc...), mnc...) {
		if digit > '9' {
			return PLMN{}, errPLMN
		}
	}

	return PLMN{MCC: string(mcc), MNC: string(mnc)}, nil
}

// Domain returns the network's domain as in the names of TS 23.003 §13.2 and §19.2, where an MNC always has three digits; "ims." or
// "epc." stands before it.
func (p PLMN) Domain() string {
	return fmt.Sprintf("mnc%03s.mcc%s.3gppnetwork.org", p.MNC, p.MCC)
}

// Home reports whether an IMSI is of the network (TS 23.003 §2.2).
func (p PLMN) Home(imsi string) bool { return strings.HasPrefix(imsi, p.MCC+p.MNC) }

func (p PLMN) String() string { return p.MCC + "-" + p.MNC }

// TBCD packs digits two to an octet, the first in the low bits, with 1111 at the end of an odd number (TS 29.002 §17.7.8).
func TBCD(digits string) []byte {
	packed := make([]byte, 0, (len(digits)+1)/2)

	for i := 0; i < len(digits); i += 2 {
		octet := digits[i] - '0' | 0xF0
		if i+1 < len(digits) {
			octet = digits[i] - '0' | (digits[i+1]-'0')<<4
		}

		packed = append(packed, octet)
	}

	return packed
}
