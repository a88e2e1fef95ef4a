package simfile

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
)

// CSV is the format of "hss subscriber add --file": the columns of vendors, and the SQN.
const CSV Format = "csv"

// Written lists the formats that can be written.
var Written = []Format{CSV, SrsEPC, OsmoHLR}

// Writer writes SIMs.
type Writer struct {
	put func(SIM) error
	end func() error
}

// NewWriter returns a writer of one of these formats.
func NewWriter(format Format, to io.Writer) (*Writer, error) {
	table := csv.NewWriter(to)
	end := func() error { table.Flush(); return table.Error() }

	switch format {
	case CSV:
		err := table.Write([]string{"imsi", "msisdn", "k", "op", "opc", "amf", "sqn"})
		return &Writer{end: end, put: func(s SIM) error {
			return table.Write([]string{s.IMSI, s.MSISDN, s.K, s.OP, s.OPc, s.AMF, s.SQN})
		}}, err
	case SrsEPC:
		return &Writer{end: end, put: func(s SIM) error {
			form, value := "opc", s.OPc
			if s.OP != "" {
				form, value = "op", s.OP
			}

			return table.Write([]string{s.IMSI, "mil", s.IMSI, s.K, form, value, s.AMF, s.SQN, "9", "dynamic"})
		}}, nil
	case OsmoHLR: // its commands, for its terminal
		return &Writer{end: func() error { return nil }, put: func(s SIM) error {
			form, value := "opc", s.OPc
			if s.OP != "" {
				form, value = "op", s.OP
			}

			_, err := fmt.Fprintf(to, "subscriber imsi %s create\nsubscriber imsi %[1]s update aud3g milenage k %s %s %s\n",
				s.IMSI, s.K, form, value)
			if err == nil && s.MSISDN != "" {
				_, err = fmt.Fprintf(to, "subscriber imsi %s update msisdn %s\n", s.IMSI, s.MSISDN)
			}

			return err
		}}, nil
	default:
		return nil, fmt.Errorf("%q is none of the formats %v", format, Written)
	}
}

// Write writes one SIM.
func (w *Writer) Write(s SIM) error { return w.put(s) }

// End writes what is buffered.
func (w *Writer) End() error { return w.end() }

// indBits is the length of IND at the end of an SQN (TS 33.102 annex C.3.2).
const indBits = 5

// WithIND returns the SIM with another IND in its SQN, for an HSS that serves it beside this one: neither's numbers make the other's stale.
func (s SIM) WithIND(ind uint64) (SIM, error) {
	if s.SQN == "" {
		return s, nil
	}

	if ind >= 1<<indBits {
		return s, fmt.Errorf("%d is not 0 to %d", ind, 1<<indBits-1)
	}

	sqn, err := strconv.ParseUint(s.SQN, 16, 48)
	if err != nil {
		return s, fmt.Errorf("%s: %q is no sequence number", s.IMSI, s.SQN)
	}

	s.SQN = number(sqn&^(1<<indBits-1) | ind).sqn()

	return s, nil
}
