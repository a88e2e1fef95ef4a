// Package journal keeps a small store of values over a restart: an append-only file of JSON lines, one for each change,
// written anew when most of it is out of date. A line that was written outlives the process, killed or not; it is not
// synced to the disk, so that a machine that loses power may lose the last ones.
package journal

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

	"golang.org/x/sys/unix"
)

// slack is how many lines out of date are always tolerated.
const slack = 10_000

// Journal is one file and the values in it by their keys. Its methods may be called from any goroutine.
type Journal[V any] struct {
	path string
	lock *os.File

	mu    sync.Mutex
	file  *os.File
	lines int
	live  map[string]json.RawMessage
}

type line struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value,omitempty"` // none: the key is gone
}

// Open reads the file of this name in a directory, which it makes. No two processes use one file at the same time. A line that
// cannot be read, as the last one after a crash, is left out and said.
func Open[V any](directory, name string, log *slog.Logger) (*Journal[V], map[string]V, error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, nil, fmt.Errorf("journal: %w", err)
	}

	j := &Journal[V]{path: filepath.Join(directory, name), live: map[string]json.RawMessage{}}

	var err error
	if j.lock, err = os.OpenFile(j.path+".lock", os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, nil, fmt.Errorf("journal: %w", err)
	}

	if err := unix.Flock(int(j.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		j.lock.Close()
		return nil, nil, fmt.Errorf("journal: another process uses %s: %w", j.path, err)
	}

	values, err := j.read(log)
	if err != nil {
		j.lock.Close()
		return nil, nil, fmt.Errorf("journal: %w", err)
	}

	return j, values, nil
}

func (j *Journal[V]) read(log *slog.Logger) (map[string]V, error) {
	file, err := os.OpenFile(j.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}

	values := map[string]V{}
	reader := bufio.NewReader(file)

	for {
		text, err := reader.ReadBytes('\n')
		if text = bytes.TrimSpace(text); len(text) > 0 {
			j.lines++

			if err := j.take(text, values); err != nil {
				log.Warn("a kept line cannot be read", "file", j.path, "error", err)
			}
		}

		if errors.Is(err, io.EOF) {
			break
		}

		if err != nil {
			file.Close()
			return nil, err
		}
	}

	if _, err := file.WriteString("\n"); err != nil { // behind a line that was cut off
		file.Close()
		return nil, err
	}

	j.file = file

	return values, nil
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
	if j.lines > 2*len(j.live)+slack {
		return j.rewrite()
	}

	j.lines++

	return j.append(j.file, l)
}

func (j *Journal[V]) append(w io.Writer, l line) error {
	text, err := json.Marshal(l)
	if err == nil {
		_, err = w.Write(append(text, '\n'))
	}

	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}

	return nil
}

// rewrite makes a new file of what is live, in place of the old one.
func (j *Journal[V]) rewrite() error {
	file, err := os.OpenFile(j.path+".new", os.O_CREATE|os.O_TRUNC|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}

	w := bufio.NewWriter(file)
	for key, value := range j.live {
		err = errors.Join(err, j.append(w, line{key, value}))
	}

	if err := errors.Join(err, w.Flush(), file.Sync(), os.Rename(j.path+".new", j.path)); err != nil {
		file.Close()
		return fmt.Errorf("journal: %w", err)
	}

	j.file.Close()
	j.file, j.lines = file, len(j.live)

	return nil
}

// Close ends the use of the file.
func (j *Journal[V]) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()

	return errors.Join(j.file.Close(), j.lock.Close())
}
