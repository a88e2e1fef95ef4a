// Package journal saves values across restarts in an append-only file of JSON lines, one for each change, which is rewritten when most of
// it is out of date. A function's state that outlives its process, and is in no database, is in a journal: it is kept while the
// process runs, and restored when the next one starts.
//
// A line survives the process as soon as it is written, even if the process is killed. It is not synced to the disk: a machine that loses
// power may lose the last lines.
package journal

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"
)

// Journal is a file of values by key. Its methods are safe for concurrent use.
type Journal[V any] struct {
	mu    sync.Mutex
	lines *Lines
	live  map[string]json.RawMessage
}

type line struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value,omitempty"` // none: the key is removed
}

// Open opens the file of this name in a directory, like OpenLines, and returns the values saved by an earlier process, to be restored.
func Open[V any](directory, name string, log *slog.Logger) (*Journal[V], map[string]V, error) {
	j := &Journal[V]{live: map[string]json.RawMessage{}}
	values := map[string]V{}

	var err error
	if j.lines, err = OpenLines(directory, name, log, func(text []byte) error { return j.read(text, values) }); err != nil {
		return nil, nil, err
	}

	return j, values, nil
}

func (j *Journal[V]) read(text []byte, values map[string]V) error {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return err
	}

	if len(l.Value) == 0 {
		delete(values, l.Key)
		delete(j.live, l.Key)

		return nil
	}

	var v V
	if err := json.Unmarshal(l.Value, &v); err != nil {
		return err
	}

	values[l.Key], j.live[l.Key] = v, l.Value

	return nil
}

// Keep saves a value under its key, replacing the one before.
func (j *Journal[V]) Keep(key string, v V) error {
	value, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}

	j.mu.Lock()
	defer j.mu.Unlock()

	j.live[key] = value

	return j.write(line{key, value})
}

// Forget removes a key, if it is there.
func (j *Journal[V]) Forget(key string) error {
	j.mu.Lock()
	defer j.mu.Unlock()

	if _, found := j.live[key]; !found {
		return nil
	}

	delete(j.live, key)

	return j.write(line{Key: key})
}

// write is called with the lock held.
func (j *Journal[V]) write(l line) error {
	if j.lines.Stale(len(j.live)) {
		return j.lines.Rewrite(func(w io.Writer) error {
			to := json.NewEncoder(w)

			for key, value := range j.live {
				if err := to.Encode(line{key, value}); err != nil {
					return err
				}
			}

			return nil
		})
	}

	text, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}

	return j.lines.Append(append(text, '\n'))
}

// Close closes the file.
func (j *Journal[V]) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()

	return j.lines.Close()
}
