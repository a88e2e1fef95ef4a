package simfile

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// names maps vendors' names of columns, in lower case, to fields.
var names = map[string]func(*SIM) *string{
	"imsi": func(s *SIM) *string { return &s.IMSI },
	"ki":   func(s *SIM) *string { return &s.K }, "k": func(s *SIM) *string { return &s.K }, "key": func(s *SIM) *string { return &s.K },
	"opc": func(s *SIM) *string { return &s.OPc }, "op": func(s *SIM) *string { return &s.OP },
	"msisdn": func(s *SIM) *string { return &s.MSISDN }, "isdn": func(s *SIM) *string { return &s.MSISDN },
	"amf": func(s *SIM) *string { return &s.AMF }, "sqn": func(s *SIM) *string { return &s.SQN },
}

// separators are the possible separators of columns, the commonest first.
const separators = ",;\t"

// separator returns the commonest separator in a line.
func separator(line string) rune {
	best, most := ',', 0

	for _, s := range separators {
		if n := strings.Count(line, string(s)); n > most {
			best, most = s, n
		}
	}

	return best
}

// columns returns the cells of a header line, in lower case.
func columns(line string) []string {
	cells := strings.Split(line, string(separator(line)))
	for i, cell := range cells {
		cells[i] = strings.ToLower(strings.Trim(strings.TrimSpace(cell), `"`))
	}

	return cells
}

// isHead reports whether these are a header line: with columns for the IMSI and the key.
func isHead(cells []string) bool {
	imsi, key := false, false

	for _, cell := range cells {
		imsi = imsi || cell == "imsi"
		key = key || cell == "ki" || cell == "k" || cell == "key"
	}

	return imsi && key
}

// readVendor reads CSV by the names of its columns; lines before the header line are skipped.
func readVendor(text []byte, sim func(SIM) error) error {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	lines := bufio.NewReader(bytes.NewReader(text))

	for passed := 1; ; passed++ {
		line, err := lines.ReadString('\n')
		if head := columns(strings.TrimRight(line, "\r\n")); isHead(head) {
			return rows(lines, separator(line), passed, func(at int, cells []string) error {
				s := SIM{Line: at}

				for i, cell := range cells {
					if i < len(head) && names[head[i]] != nil && cell != "" {
						*names[head[i]](&s) = cell
					}
				}

				return s.give(sim)
			})
		}

		if err != nil {
			return errors.New("no line names the columns, with imsi and ki among them")
		}
	}
}

// rows calls row for each row after line passed, with its line number and its cells.
func rows(from io.Reader, separator rune, passed int, row func(line int, cells []string) error) error {
	r := csv.NewReader(from)
	r.Comma, r.Comment, r.FieldsPerRecord, r.TrimLeadingSpace, r.LazyQuotes = separator, '#', -1, separator != '\t', true

	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}

		if err != nil {
			return err
		}

		line, _ := r.FieldPos(0)
		empty := true

		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
			empty = empty && cells[i] == ""
		}

		if empty {
			continue
		}

		if err := row(passed+line, cells); err != nil {
			return err
		}
	}
}

// give checks a SIM that was read and passes it on.
func (s SIM) give(sim func(SIM) error) error {
	s.K, s.OP, s.OPc, s.AMF, s.SQN = hexadecimal(s.K), hexadecimal(s.OP), hexadecimal(s.OPc), hexadecimal(s.AMF), hexadecimal(s.SQN)
	s.MSISDN = strings.TrimPrefix(s.MSISDN, "+")

	switch {
	case s.IMSI == "":
		return fmt.Errorf("line %d: there is no IMSI", s.Line)
	case !digits(s.IMSI, 6, 15):
		return fmt.Errorf("line %d: %q is no IMSI", s.Line, s.IMSI)
	case s.K == "":
		return fmt.Errorf("line %d: %s has no key", s.Line, s.IMSI)
	}

	return sim(s)
}

// readPySim reads name, iccid, mcc, mnc, imsi, smsp, ki, opc.
func readPySim(text []byte, sim func(SIM) error) error {
	return rows(bytes.NewReader(text), ',', 0, func(line int, cells []string) error {
		if len(cells) != 8 {
			return fmt.Errorf("line %d: it has %d columns, not 8", line, len(cells))
		}

		return SIM{Line: line, IMSI: cells[4], K: cells[6], OPc: cells[7]}.give(sim)
	})
}

func isAlgorithm(cell string) bool    { return cell == "mil" || cell == "xor" }
func isOperatorForm(cell string) bool { return cell == "op" || cell == "opc" }

// readSrsEPC reads name, algorithm, IMSI, key, op or opc, its value, AMF, SQN, QCI, address. Older files have no algorithm, or no SQN.
func readSrsEPC(text []byte, sim func(SIM) error, leftOut func(int, string)) error {
	return rows(bytes.NewReader(text), ',', 0, func(line int, cells []string) error {
		algorithm := "mil"
		if len(cells) > 1 && isAlgorithm(cells[1]) {
			algorithm = cells[1]
			cells = append(cells[:1:1], cells[2:]...)
		}

		if len(cells) < 6 || !isOperatorForm(cells[3]) {
			return fmt.Errorf("line %d: it is not name, algorithm, IMSI, key, op or opc, its value, AMF, SQN, QCI, address", line)
		}

		if algorithm == "xor" {
			leftOut(line, cells[1]+" has the algorithm XOR, for which there are no vectors here")
			return nil
		}

		s := SIM{Line: line, IMSI: cells[1], K: cells[2], AMF: cells[5]}
		if cells[3] == "op" {
			s.OP = cells[4]
		} else {
			s.OPc = cells[4]
		}

		if len(cells) > 6 && len(cells[6]) == 12 {
			s.SQN = cells[6]
		}

		return s.give(sim)
	})
}
