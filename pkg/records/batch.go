package records

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// AtOnce is the number of records added in one request, which is one transaction: all of them or none.
const AtOnce = 500

// Added is the answer to such a request.
type Added struct {
	Added    int       `json:"added"`
	Skipped  int       `json:"skipped,omitempty"` // those that were there already, if they were to be passed over
	Warnings []Warning `json:"warnings,omitempty"`
}

// Warning concerns an item of a request that was added all the same.
type Warning struct {
	Item    int    `json:"item"` // from 0
	Warning string `json:"warning"`
}

// Refused adds to an error the item of a request because of which none was added.
func Refused(item int, err error) error {
	var problem *httpapi.Error
	if !errors.As(err, &problem) {
		return err
	}

	return &httpapi.Error{Status: problem.Status, Title: problem.Title, Detail: problem.Detail, Item: &item}
}

// Batch collects records and adds AtOnce of them at a time.
type Batch[T any] struct {
	Add    func(all []T) (Added, error)
	What   string    // "subscribers"
	Notes  io.Writer // where progress and warnings go
	Passed int       // lines left out, because an earlier run has added them

	items    []T
	lines    []int
	done     int
	skipped  int
	last     int // line of the last record added
	warnings int
	said     time.Time
}

const (
	often     = time.Second // between two lines of progress
	mostNotes = 10          // warnings that are shown
)

// Put adds a record, at once or with later ones.
func (b *Batch[T]) Put(line int, item T) error {
	if line <= b.Passed {
		return nil
	}

	if b.said.IsZero() { // what is done in no time has no progress
		b.said = time.Now()
	}

	b.items, b.lines = append(b.items, item), append(b.lines, line)
	if len(b.items) < AtOnce {
		return nil
	}

	if err := b.flush(); err != nil {
		return err
	}

	if time.Since(b.said) >= often {
		b.said = time.Now()
		fmt.Fprintf(b.Notes, "%d %s added, up to line %d\n", b.done, b.What, b.last)
	}

	return nil
}

// Skipped returns how many were there already.
func (b *Batch[T]) Skipped() int { return b.skipped }

// End adds the rest, or reports how far it came before err. It returns how many were added.
func (b *Batch[T]) End(err error) (int, error) {
	if err == nil {
		err = b.flush()
	}

	if b.warnings > mostNotes {
		fmt.Fprintf(b.Notes, "%d more warnings\n", b.warnings-mostNotes)
	}

	if err != nil && b.last > 0 {
		err = fmt.Errorf("%w; %d %s up to line %d are added, and none behind it: go on with --after %d", err, b.done, b.What, b.last, b.last)
	} else if err != nil {
		err = fmt.Errorf("%w; nothing is added", err)
	}

	return b.done, err
}

func (b *Batch[T]) flush() error {
	if len(b.items) == 0 {
		return nil
	}

	added, err := b.Add(b.items)

	var problem *httpapi.Error
	if errors.As(err, &problem) && problem.Item != nil && *problem.Item >= 0 && *problem.Item < len(b.lines) {
		return fmt.Errorf("line %d: %w", b.lines[*problem.Item], err)
	}

	if err != nil {
		return fmt.Errorf("lines %d to %d: %w", b.lines[0], b.lines[len(b.lines)-1], err)
	}

	for _, w := range added.Warnings {
		if b.warnings++; b.warnings <= mostNotes && w.Item >= 0 && w.Item < len(b.lines) {
			fmt.Fprintf(b.Notes, "line %d: warning: %s\n", b.lines[w.Item], w.Warning)
		}
	}

	b.done, b.skipped, b.last = b.done+len(b.items)-added.Skipped, b.skipped+added.Skipped, b.lines[len(b.lines)-1]
	b.items, b.lines = b.items[:0], b.lines[:0]

	return nil
}
