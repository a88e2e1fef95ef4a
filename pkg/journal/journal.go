// Package journal keeps a small store of values over a restart: an append-only file of JSON lines, one for each change,
// written anew when most of it is out of date. A line that was written outlives the process, killed or not; it is not
// synced to the disk, so that a machine that loses power may lose the last ones.
package journal

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"
)

// Journal is one file and the values in it by their keys. Its methods may be called from any goroutine.
type Journal[V any] struct {
	mu    sync.Mutex
	lines *Lines
	live  map[string]json.RawMessage
}

type line struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value,omitempty"` // none: the key is gone
}

// Open reads the file of this name in a directory, as OpenLines does.
func Open[V any](directory, name string, log *slog.Logger) (*Journal[V], map[string]V, error) {
	j := &Journal[V]{live: map[string]json.RawMessage{}}
	values := map[string]V{}

	var err error
	if j.lines, err = OpenLines(directory, name, log, func(text []byte) error { return j.take(text, values) }); err != nil {
		return nil, nil, err
	}

	return j, values, nil
}

func (j *Journal[V]) take(text []byte, values map[string]V) error {
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

// Put keeps a value under its key.
func (j *Journal[V]) Put(key string, v V) error {
	value, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}

	j.mu.Lock()
	defer j.mu.Unlock()

	j.live[key] = value

	return j.write(line{key, value})
}

// Drop forgets a key, if it is there.
func (j *Journal[V]) Drop(key string) error {
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

// Close ends the use of the file.
func (j *Journal[V]) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()

	return j.lines.Close()
}
