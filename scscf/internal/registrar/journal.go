package registrar

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
	"unique"

	"golang.org/x/sys/unix"
)

// journal keeps the registrations over a restart: an append-only file of JSON lines, one for each registration that has
// changed, rewritten when most of it is out of date. Profiles are not in it; the HSS has them. A nil journal keeps nothing.
type journal struct {
	path string
	lock *os.File
	log  *slog.Logger

	mu    sync.Mutex
	dirty map[*record]struct{}

	file  *os.File // of the one who flushes, as is what follows
	lines int
}

const (
	journalName   = "registrations.jsonl"
	flushInterval = 200 * time.Millisecond
	slack         = 10_000 // lines out of date that are always tolerated
)

// entry is one line. Without a registration, the one with this ID is gone.
type entry struct {
	ID           uint64 `json:"id"`
	Registration *kept  `json:"registration,omitempty"`
}

type kept struct {
	Private    string         `json:"private"`
	Identities []keptIdentity `json:"identities"`
	Bindings   []*Binding     `json:"bindings"`
	Charging   *ChargingInfo  `json:"charging,omitempty"`
}

type keptIdentity struct {
	URI         string `json:"uri"`
	DisplayName string `json:"display_name,omitempty"`
	Barred      bool   `json:"barred,omitempty"`
}

// openJournal reads what is kept in a directory, which no other process may use at the same time.
func openJournal(directory string, log *slog.Logger) (*journal, map[uint64]*Registration, error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, nil, fmt.Errorf("registrations: %w", err)
	}

	j := &journal{path: filepath.Join(directory, journalName), log: log, dirty: map[*record]struct{}{}}

	var err error
	if j.lock, err = os.OpenFile(j.path+".lock", os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, nil, fmt.Errorf("registrations: %w", err)
	}

	if err := unix.Flock(int(j.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		j.lock.Close()
		return nil, nil, fmt.Errorf("registrations: another process uses %s: %w", directory, err)
	}

	registrations, err := j.read()
	if err != nil {
		j.lock.Close()
		return nil, nil, err
	}

	return j, registrations, nil
}

// read goes through the file. A line that cannot be read, as the last one after a crash, is left out and said.
func (j *journal) read() (map[uint64]*Registration, error) {
	registrations := map[uint64]*Registration{}

	file, err := os.OpenFile(j.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("registrations: %w", err)
	}

	reader := bufio.NewReader(file)

	for {
		line, err := reader.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			j.lines++
			j.take(line, registrations)
		}

		if errors.Is(err, io.EOF) {
			break
		}

		if err != nil {
			file.Close()
			return nil, fmt.Errorf("registrations: %w", err)
		}
	}

	if _, err := file.Seek(0, io.SeekEnd); err != nil {
		file.Close()
		return nil, fmt.Errorf("registrations: %w", err)
	}

	if _, err := file.WriteString("\n"); err != nil { // behind a line that was cut off
		file.Close()
		return nil, fmt.Errorf("registrations: %w", err)
	}

	j.file = file

	return registrations, nil
}

func (j *journal) take(line []byte, registrations map[uint64]*Registration) {
	var e entry
	if err := json.Unmarshal(line, &e); err != nil {
		j.log.Warn("a kept registration cannot be read", "file", j.path, "error", err)
		return
	}

	if e.Registration == nil {
		delete(registrations, e.ID)
		return
	}

	g, err := e.Registration.restore()
	if err != nil {
		j.log.Warn("a kept registration cannot be used", "file", j.path, "error", err)
		return
	}

	registrations[e.ID] = g
}

func (k *kept) restore() (*Registration, error) {
	g := &Registration{State: Registered, Private: k.Private, Bindings: k.Bindings}

	for _, i := range k.Identities {
		wildcard, err := parseWildcard(i.URI)
		if err != nil {
			return nil, err
		}

		g.Identities = append(g.Identities, Identity{URI: i.URI, DisplayName: i.DisplayName, Barred: i.Barred, Wildcard: wildcard})
	}

	for _, b := range k.Bindings {
		if b == nil || b.Contact == "" || b.Private == "" {
			return nil, errors.New("a contact without address or private identity")
		}
	}

	if len(g.Identities) == 0 || len(g.Bindings) == 0 {
		return nil, errors.New("no identities or no contacts")
	}

	if k.Charging != nil {
		g.charging = unique.Make(*k.Charging)
	}

	return g, nil
}

// mark has a record written at the next flush.
func (j *journal) mark(rec *record) {
	if j == nil {
		return
	}

	j.mu.Lock()
	defer j.mu.Unlock()

	j.dirty[rec] = struct{}{}
}

// flush writes what has changed, as it is now. count is how many records there are and all lists them, for a file that is
// written anew.
func (j *journal) flush(count func() int, all func() []*record) error {
	if j == nil {
		return nil
	}

	j.mu.Lock()
	dirty := j.dirty
	j.dirty = make(map[*record]struct{}, min(len(dirty), 1024))
	j.mu.Unlock()

	if len(dirty) == 0 {
		return nil
	}

	w := bufio.NewWriterSize(j.file, 64<<10)

	for rec := range dirty {
		if err := write(w, rec.id, rec.current.Load()); err != nil {
			return fmt.Errorf("registrations: %w", err)
		}

		j.lines++
	}

	if err := w.Flush(); err != nil {
		return fmt.Errorf("registrations: %w", err)
	}

	if j.lines > 2*count()+slack {
		return j.rewrite(all())
	}

	return nil
}

func write(w *bufio.Writer, id uint64, g *Registration) error {
	_, err := w.Write(appendEntry(w.AvailableBuffer(), id, keep(g)))

	return err
}

// keep is what is written of a registration; nothing of a user who is not registered.
func keep(g *Registration) *kept {
	if g == nil || g.State != Registered {
		return nil
	}

	k := &kept{Private: g.Private, Bindings: g.Bindings}
	for _, i := range g.Identities {
		k.Identities = append(k.Identities, keptIdentity{URI: i.URI, DisplayName: i.DisplayName, Barred: i.Barred})
	}

	if c, given := g.Charging(); given {
		k.Charging = &c
	}

	return k
}

// rewrite makes a new file of the records as they are, in place of the old one.
func (j *journal) rewrite(records []*record) error {
	file, err := os.OpenFile(j.path+".new", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("registrations: %w", err)
	}

	w := bufio.NewWriterSize(file, 64<<10)
	lines := 0

	for _, rec := range records {
		g := rec.current.Load()
		if keep(g) == nil {
			continue
		}

		lines++

		if err := write(w, rec.id, g); err != nil {
			file.Close()
			return fmt.Errorf("registrations: %w", err)
		}
	}

	if err := errors.Join(w.Flush(), file.Sync(), os.Rename(j.path+".new", j.path)); err != nil {
		file.Close()
		return fmt.Errorf("registrations: %w", err)
	}

	j.file.Close()
	j.file, j.lines = file, lines

	return nil
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}

	return errors.Join(j.file.Close(), j.lock.Close())
}
