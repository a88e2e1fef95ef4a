// Package keyfile writes the keys of security associations where Wireshark finds them. It is for laboratories: whoever has the file can
// read the traffic of its handsets.
package keyfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/dialtone-ims/dialtone/pkg/ipsec"
)

// sets is the number of sets in a file before the next is begun; Wireshark searches its table for every packet.
const sets = 10_000

// File is one table esp_sa of Wireshark. The file of an earlier process, or a full one, is renamed with ".1", which replaces the one
// renamed before: associations may outlive the process, and captures their associations.
type File struct {
	path string

	mu      sync.Mutex
	file    *os.File
	written int
}

// Create creates a file that nobody else may read.
func Create(path string) (*File, error) {
	f := &File{path: path}
	if err := f.openNew(); err != nil {
		return nil, err
	}

	return f, nil
}

// openNew is called with the lock held.
func (f *File) openNew() error {
	if err := os.Rename(f.path, f.path+".1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keyfile: %w", err)
	}

	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // neither a file that somebody has open, nor a link
	if err != nil {
		return fmt.Errorf("keyfile: %w", err)
	}

	if f.file != nil {
		_ = f.file.Close()
	}

	f.file, f.written = file, 0

	return nil
}

// Add writes the keys of a set.
func (f *File) Add(s ipsec.Set) error {
	lines, err := ipsec.Wireshark(s)
	if err != nil {
		return err
	}

	f.mu.Lock()
	defer f.mu.Unlock()

	if f.file == nil {
		return fmt.Errorf("keyfile: %w", fs.ErrClosed)
	}

	if f.written >= sets {
		if err := f.openNew(); err != nil {
			return err
		}
	}

	f.written++

	if _, err := f.file.WriteString(lines); err != nil {
		return fmt.Errorf("keyfile: %w", err)
	}

	return nil
}

// Close closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()

	if f.file == nil {
		return nil
	}

	file := f.file
	f.file = nil

	return file.Close()
}
