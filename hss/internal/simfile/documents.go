package simfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/records"
)

// formatOfJSON returns the format that the first document looks like.
func formatOfJSON(text []byte) (f Format) {
	_ = records.Read(bytes.NewReader(text), nil, func(r records.Record) error {
		f = formatOfDocument(r.Fields)
		return errUnknown // the first one is enough
	})

	return f
}

func formatOfDocument(fields map[string]json.RawMessage) Format {
	has := func(name string) bool { _, there := fields[name]; return there }

	switch {
	case has("security"):
		return Open5GS
	case has("ki"), has("auc_id"), has("ims_subscriber_id"):
		return PyHSS
	default:
		return ""
	}
}

// number is a number as MongoDB or PyHSS writes it: 64, "64", {"$numberLong": "64"}.
type number uint64

// UnmarshalJSON parses any of these forms.
func (n *number) UnmarshalJSON(text []byte) error {
	var long struct {
		Long string `json:"$numberLong"`
		Int  string `json:"$numberInt"`
	}

	written := strings.Trim(string(text), `"`)
	if json.Unmarshal(text, &long) == nil && long.Long+long.Int != "" {
		written = long.Long + long.Int
	}

	if written == "null" {
		return nil
	}

	value, err := strconv.ParseUint(written, 10, 48)
	if err != nil {
		return fmt.Errorf("%s is no sequence number", text)
	}

	*n = number(value)

	return nil
}

func (n number) sqn() string { return fmt.Sprintf("%012x", uint64(n)) }

// readOpen5GS reads the documents of Open5GS's collection of subscribers.
func readOpen5GS(text []byte, sim func(SIM) error) error {
	return each(text, func(line int, subscriber struct {
		IMSI     string   `json:"imsi"`
		MSISDN   []string `json:"msisdn"`
		Security struct {
			K   string  `json:"k"`
			OP  *string `json:"op"`
			OPc *string `json:"opc"`
			AMF string  `json:"amf"`
			SQN *number `json:"sqn"`
		} `json:"security"`
	},
	) error {
		keys := subscriber.Security
		s := SIM{Line: line, IMSI: subscriber.IMSI, MSISDN: first(subscriber.MSISDN...), K: keys.K, AMF: keys.AMF}

		if keys.OP != nil {
			s.OP = *keys.OP
		}

		if keys.OPc != nil {
			s.OPc = *keys.OPc
		}

		if keys.SQN != nil {
			s.SQN = keys.SQN.sqn()
		}

		return s.give(sim)
	})
}

// each decodes the documents of a file, with the fields of T.
func each[T any](text []byte, f func(line int, document T) error) error {
	return records.Read(bytes.NewReader(text), nil, func(r records.Record) error {
		var document T

		whole, err := json.Marshal(r.Fields)
		if err == nil {
			err = json.Unmarshal(whole, &document)
		}

		if err != nil {
			return fmt.Errorf("line %d: %w", r.Line, err)
		}

		return f(r.Line, document)
	})
}

// pyHSS is the content of PyHSS's tables, from one file or several.
type pyHSS struct {
	keys    []pyHSSKeys
	numbers map[string]string // MSISDN by IMSI
	users   map[int]string    // IMSI by the number of its keys, if those have none
}

type pyHSSKeys struct {
	file string
	line int

	AuC  int     `json:"auc_id"`
	IMSI string  `json:"imsi"`
	Ki   string  `json:"ki"`
	OPc  string  `json:"opc"`
	AMF  string  `json:"amf"`
	SQN  *number `json:"sqn"`

	IMSSubscriber *int   `json:"ims_subscriber_id"`
	MSISDN        string `json:"msisdn"`
	More          string `json:"msisdn_list"` // separated by commas
}

func (p *pyHSS) read(f File) error {
	if p.numbers == nil {
		p.numbers, p.users = map[string]string{}, map[int]string{}
	}

	return each(f.text, func(line int, row pyHSSKeys) error {
		row.file, row.line = f.Name, line
		number := first(append([]string{row.MSISDN}, strings.Split(row.More, ",")...)...)

		switch {
		case row.Ki != "":
			p.keys = append(p.keys, row)
		case row.IMSI == "":
			return fmt.Errorf("line %d: it has neither ki nor imsi", line)
		case row.IMSSubscriber != nil:
			p.numbers[row.IMSI] = number // the IMS table takes precedence over the EPC's
		default:
			p.users[row.AuC] = row.IMSI

			if p.numbers[row.IMSI] == "" {
				p.numbers[row.IMSI] = number
			}
		}

		return nil
	})
}

// join joins the rows of each SIM.
func (p *pyHSS) join(sim func(SIM) error, leftOut func(file string, line int, why string)) error {
	for _, keys := range p.keys {
		imsi := first(keys.IMSI, p.users[keys.AuC])
		if imsi == "" {
			leftOut(keys.file, keys.line, fmt.Sprintf("the keys %d have no IMSI: give /subscriber/list as well", keys.AuC))
			continue
		}

		s := SIM{Line: keys.line, IMSI: imsi, MSISDN: p.numbers[imsi], K: keys.Ki, OPc: keys.OPc, AMF: keys.AMF}
		if keys.SQN != nil {
			s.SQN = keys.SQN.sqn()
		}

		if err := s.give(sim); err != nil {
			return fmt.Errorf("%s: %w", keys.file, err)
		}
	}

	return nil
}
