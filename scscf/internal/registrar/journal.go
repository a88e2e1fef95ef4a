package registrar

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
	"unique"

	"github.com/dialtone-ims/dialtone/pkg/ere"
	journals "github.com/dialtone-ims/dialtone/pkg/journal"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// journal keeps registrations across restarts. It has one line for each change, written in batches. Profiles are not in it, because the
// HSS has them. A nil journal keeps nothing.
type journal struct {
	mu    sync.Mutex
	dirty map[*record]struct{}

	lines *journals.Lines // owned, like the fields below, by the goroutine that flushes
	batch []byte
}

const (
	journalName   = "registrations.jsonl"
	flushInterval = 200 * time.Millisecond
)

// entry is one line. Without a registration it records that the registration with this ID has ended.
type entry struct {
	ID           uint64 `json:"id"`
	Registration *kept  `json:"registration,omitempty"`
}

type kept struct {
	Private    string                     `json:"private"`
	Identities []keptIdentity             `json:"identities"`
	Bindings   []*registration.Binding    `json:"bindings"`
	Charging   *registration.ChargingInfo `json:"charging,omitempty"`
}

type keptIdentity struct {
	URI         string `json:"uri"`
	DisplayName string `json:"display_name,omitempty"`
	Barred      bool   `json:"barred,omitempty"`
}

// openJournal opens the journal in a directory and returns the registrations to restore.
func openJournal(directory string, log *slog.Logger) (*journal, map[uint64]*registration.Registration, error) {
	j := &journal{dirty: map[*record]struct{}{}}
	registrations := map[uint64]*registration.Registration{}

	var err error
	if j.lines, err = journals.OpenLines(
		directory,
		journalName,
		log,
		func(line []byte) error { return restoreLine(line, registrations) },
	); err != nil {
		return nil, nil, fmt.Errorf("registrations: %w", err)
	}

	return j, registrations, nil
}

func restoreLine(line []byte, registrations map[uint64]*registration.Registration) error {
	var e entry
	if err := json.Unmarshal(line, &e); err != nil {
		return err
	}

	if e.Registration == nil {
		delete(registrations, e.ID)
		return nil
	}

	g, err := e.Registration.restore()
	if err != nil {
		return err
	}

	registrations[e.ID] = g

	return nil
}

func (k *kept) restore() (*registration.Registration, error) {
	g := &registration.Registration{State: registration.Registered, Private: k.Private, Bindings: k.Bindings}

	for _, i := range k.Identities {
		wildcard, err := ere.ParseWildcard(i.URI)
		if err != nil {
			return nil, err
		}

		g.Identities = append(
			g.Identities,
			registration.Identity{URI: i.URI, DisplayName: i.DisplayName, Barred: i.Barred, Wildcard: wildcard},
		)
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
		g.ChargingHandle = unique.Make(*k.Charging)
	}

	return g, nil
}

// mark schedules a record for the next flush.
func (j *journal) mark(rec *record) {
	if j == nil {
		return
	}

	j.mu.Lock()
	defer j.mu.Unlock()

	j.dirty[rec] = struct{}{}
}

// flush writes the current state of the marked records. count and all give the number of records and the records themselves, for
// rewriting the file.
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

	if err := j.write(dirty); err != nil {
		for rec := range dirty {
			j.mark(rec) // to try again
		}

		return err
	}

	if !j.lines.Stale(count()) {
		return nil
	}

	return j.rewrite(all())
}

func (j *journal) write(records map[*record]struct{}) error {
	const piece = 64 << 10

	for rec := range records {
		j.batch = appendEntry(j.batch, rec.id, keptOf(rec.current.Load()))

		if len(j.batch) > piece {
			if err := j.append(); err != nil {
				return err
			}
		}
	}

	return j.append()
}

func (j *journal) append() error {
	err := j.lines.Append(j.batch)
	j.batch = j.batch[:0]

	return err
}

// keptOf returns the part of a registration that is written, or nil for an unregistered user.
func keptOf(g *registration.Registration) *kept {
	if g == nil || g.State != registration.Registered {
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

// rewrite rewrites the file with the current state of the records.
func (j *journal) rewrite(records []*record) error {
	return j.lines.Rewrite(func(w io.Writer) error {
		for _, rec := range records {
			k := keptOf(rec.current.Load())
			if k == nil {
				continue
			}

			j.batch = appendEntry(j.batch[:0], rec.id, k)
			if _, err := w.Write(j.batch); err != nil {
				return err
			}
		}

		j.batch = j.batch[:0]

		return nil
	})
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}

	return j.lines.Close()
}
