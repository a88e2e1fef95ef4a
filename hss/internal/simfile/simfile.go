// Package simfile reads and writes the SIM files of SIM vendors, pySim, PyHSS, Open5GS, srsRAN's EPC and osmo-hlr.
package simfile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// SIM is what an HSS needs to know of a SIM. Keys are hexadecimal.
type SIM struct {
	Line         int // on which it begins in its file; a row's number in a database
	IMSI, MSISDN string
	K, OP, OPc   string
	AMF, SQN     string // "" if the file has none
}

// Format is the format of a file of SIMs.
type Format string

// The formats that are read.
const (
	Vendor  Format = "vendor"   // CSV with a header line, as from sysmocom
	PySim   Format = "pysim"    // the file of pySim-prog --write-csv: no header line
	PyHSS   Format = "pyhss"    // answers of its API: /auc/list, /subscriber/list, /ims_subscriber/list
	Open5GS Format = "open5gs"  // mongoexport of its collection of subscribers
	SrsEPC  Format = "srsepc"   // user_db.csv
	OsmoHLR Format = "osmo-hlr" // hlr.db
)

// Formats lists the formats that can be read.
var Formats = []Format{Vendor, PySim, PyHSS, Open5GS, SrsEPC, OsmoHLR}

// errUnknown is returned for a file in none of the formats.
var errUnknown = errors.New("it is in none of the formats that are known")

// File is a file of SIMs, read whole: such files are small compared with the database that they go into.
type File struct {
	Name string
	text []byte
}

// maxFile is more than a million SIMs need.
const maxFile = 1 << 30

// Open reads a file, or in for "-".
func Open(name string, in io.Reader) (f File, err error) {
	from := io.NopCloser(in)

	if name != "-" {
		if from, err = os.Open(name); err != nil {
			return File{}, err
		}
		defer from.Close()
	}

	f.Name = name

	if f.text, err = io.ReadAll(io.LimitReader(from, maxFile+1)); err == nil && len(f.text) > maxFile {
		err = fmt.Errorf("it is larger than %d octets", maxFile)
	}

	return f, err
}

// Read calls sim for each SIM of the files, which are in one format ("" to find out by itself), and leftOut for each that no HSS of
// this kind can serve. What the files of PyHSS say of one SIM comes together. A database is not read
// on when ctx ends.
func Read(
	ctx context.Context, files []File, format Format, sim func(SIM) error, leftOut func(file string, line int, why string),
) error {
	parts := pyHSS{}

	for _, f := range files {
		of := format
		if of == "" {
			of = f.format()
		}

		note := func(line int, why string) { leftOut(f.Name, line, why) }

		var err error

		switch of {
		case Vendor:
			err = readVendor(f.text, sim)
		case PySim:
			err = readPySim(f.text, sim)
		case SrsEPC:
			err = readSrsEPC(f.text, sim, note)
		case Open5GS:
			err = readOpen5GS(f.text, sim)
		case PyHSS:
			err = parts.read(f)
		case OsmoHLR:
			err = readOsmoHLR(ctx, f, maxRows, sim, note)
		default:
			err = errUnknown
		}

		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}

	return parts.join(sim, leftOut)
}

// format returns the format that a file looks like; "" if none.
func (f File) format() Format {
	text := bytes.TrimLeft(bytes.TrimPrefix(f.text, []byte("\ufeff")), " \t\r\n")

	switch {
	case bytes.HasPrefix(f.text, []byte(sqliteMagic)):
		return OsmoHLR
	case bytes.HasPrefix(text, []byte("{")), bytes.HasPrefix(text, []byte("[")):
		return formatOfJSON(text)
	}

	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := lines.Text()
		cells := strings.Split(line, ",")

		switch {
		case strings.HasPrefix(line, "#"), strings.TrimSpace(line) == "":
		case isHead(columns(line)):
			return Vendor
		case len(cells) >= 8 && (isAlgorithm(cells[1]) || isOperatorForm(cells[3])):
			return SrsEPC
		case len(cells) == 8 && digits(cells[1], 18, 20) && digits(cells[4], 6, 15):
			return PySim
		}
	}

	return ""
}

func digits(text string, shortest, longest int) bool {
	return len(text) >= shortest && len(text) <= longest && strings.Trim(text, "0123456789") == ""
}

// hexadecimal returns a key without blanks and prefix.
func hexadecimal(text string) string {
	text = strings.ToLower(strings.Join(strings.Fields(text), ""))

	return strings.TrimPrefix(text, "0x")
}

// first returns the first value that is not empty.
func first(values ...string) string {
	if at := slices.IndexFunc(values, func(v string) bool { return v != "" }); at >= 0 {
		return values[at]
	}

	return ""
}
