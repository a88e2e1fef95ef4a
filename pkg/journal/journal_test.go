package journal

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func open(t testing.TB, directory string, log *slog.Logger) (*Journal[int], map[string]int) {
	t.Helper()

	j, values, err := Open[int](directory, "values.jsonl", log)
	if err != nil {
		t.Fatal(err)
	}

	return j, values
}

var quiet = slog.New(slog.DiscardHandler)

func TestValuesOutliveTheProcess(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "new")
	j, values := open(t, directory, quiet)

	if len(values) != 0 {
		t.Fatalf("a new journal has %v", values)
	}

	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() {
			for i := range 50 {
				if err := j.Keep(fmt.Sprint(n, "/", i), i); err != nil {
					t.Error(err)
				}

				if i%2 == 1 {
					if err := j.Forget(fmt.Sprint(n, "/", i)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()

	if _, _, err := Open[int](directory, "values.jsonl", quiet); err == nil {
		t.Error("two use the same file")
	}

	if err := j.Forget("never there"); err != nil {
		t.Error(err)
	}

	if err := j.Close(); err != nil {
		t.Fatal(err)
	}

	_, values = open(t, directory, quiet)
	if len(values) != 100 || values["3/48"] != 48 {
		t.Errorf("%d values: %v", len(values), values)
	}
}

// A process that is killed while it writes leaves half a line; later lines count.
func TestHalfALine(t *testing.T) {
	directory := t.TempDir()
	text := "{\"key\":\"a\",\"value\":1}\n{\"key\":\"b\",\"value\":\"no number\"}\n{\"key\":\"c\",\"val"

	if err := os.WriteFile(filepath.Join(directory, "values.jsonl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	var said bytes.Buffer
	j, values := open(t, directory, slog.New(slog.NewTextHandler(&said, nil)))

	if len(values) != 1 || strings.Count(said.String(), "cannot be read") != 2 {
		t.Errorf("%v, %s", values, said.String())
	}

	if err := j.Keep("d", 4); err != nil {
		t.Fatal(err)
	}

	j.Close()

	if _, values = open(t, directory, quiet); !maps.Equal(values, map[string]int{"a": 1, "d": 4}) {
		t.Errorf("%v", values)
	}
}

// A disk that is full for a while loses what could not be written, and nothing written afterwards.
func TestFailedWrite(t *testing.T) {
	directory := t.TempDir()
	j, _ := open(t, directory, quiet)
	good := j.lines.file

	full, err := os.Open(good.Name()) // takes no writes, as if it were
	if err != nil {
		t.Fatal(err)
	}

	if _, err := good.WriteString(`{"key":"a","val`); err != nil { // as far as there was room
		t.Fatal(err)
	}

	j.lines.file = full
	if err := j.Keep("a", 1); err == nil {
		t.Error("it is on the disk, which is full")
	}

	full.Close()

	j.lines.file = good
	for key, value := range map[string]int{"b": 2, "c": 3} {
		if err := j.Keep(key, value); err != nil {
			t.Fatal(err)
		}
	}

	j.Close()

	if _, values := open(t, directory, quiet); !maps.Equal(values, map[string]int{"b": 2, "c": 3}) {
		t.Errorf("%v", values)
	}
}

// The file does not grow with the number of changes.
func TestRewritten(t *testing.T) {
	directory := t.TempDir()
	j, _ := open(t, directory, quiet)

	for i := range 3 * slack {
		if err := j.Keep(fmt.Sprint(i%10), i); err != nil {
			t.Fatal(err)
		}
	}

	j.Close()

	text, err := os.ReadFile(filepath.Join(directory, "values.jsonl"))
	if err != nil {
		t.Fatal(err)
	}

	if lines := bytes.Count(text, []byte{'\n'}); lines > slack+50 {
		t.Errorf("%d lines for 10 values", lines)
	}

	if _, values := open(t, directory, quiet); len(values) != 10 || values["9"] != 3*slack-1 {
		t.Errorf("%v", values)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("{\"key\":\"a\",\"value\":1}\n{\"key\":\"a\"}\n"))
	f.Add([]byte("{\"key\":\"c\",\"val"))
	f.Fuzz(func(t *testing.T, text []byte) {
		directory := t.TempDir()
		if err := os.WriteFile(filepath.Join(directory, "values.jsonl"), text, 0o600); err != nil {
			t.Fatal(err)
		}

		j, before := open(t, directory, quiet)
		if err := j.Keep("new", 1); err != nil {
			t.Fatal(err)
		}

		j.Close()

		_, after := open(t, directory, quiet)
		before["new"] = 1

		if !maps.Equal(before, after) {
			t.Errorf("%v became %v", before, after)
		}
	})
}
