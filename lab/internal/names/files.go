package names

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/miekg/dns"

	"github.com/dialtone-ims/dialtone/lab/internal/zone"
)

// File returns the path of a zone's file in a folder.
func File(folder, origin string) string {
	return filepath.Join(folder, strings.TrimSuffix(origin, ".")+".zone")
}

// Write writes each zone to its file. A file that differs in the serial number only stays; a changed one gets a higher serial number, so
// that a secondary server sees that it is newer.
func Write(folder string, zones []*zone.Zone) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}

	for _, z := range zones {
		if err := write(File(folder, z.Origin), z); err != nil {
			return err
		}
	}

	return nil
}

func write(file string, z *zone.Zone) error {
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}

	if last, found := serialOf(before); found {
		wanted := z.SOA().Serial
		if z.SOA().Serial = last; z.Text() == string(before) {
			return nil
		}

		z.SOA().Serial = max(wanted, last+1)
	}

	own, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(own.Name())

	_, err = own.WriteString(z.Text())
	if err := errors.Join(err, own.Chmod(0o644), own.Close()); err != nil {
		return err
	}

	return os.Rename(own.Name(), file) // whole or not at all
}

// serialOf returns the serial number of a file.
func serialOf(text []byte) (uint32, bool) {
	parser := dns.NewZoneParser(bytes.NewReader(text), "", "")

	for r, more := parser.Next(); more; r, more = parser.Next() {
		if soa, found := r.(*dns.SOA); found {
			return soa.Serial, true
		}
	}

	return 0, false
}
