package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// slack is how many outdated lines are always tolerated.
const slack = 10_000

// Lines is the file of a journal, for users with lines of their own. It is for one goroutine at a time.
type Lines struct {
	path  string
	lock  *os.File
	file  *os.File
	count int
	torn  bool // the last write failed, and may have left part of a line
}

// OpenLines opens the file of this name in a directory, and creates both if they are missing. It calls restore with every line. A line for
// which restore returns an error, such as one truncated by a crash, is logged and left out. It is an error if another process has the file
// open.
func OpenLines(directory, name string, log *slog.Logger, restore func(line []byte) error) (*Lines, error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}

	l := &Lines{path: filepath.Join(directory, name)}

	var err error
	if l.lock, err = os.OpenFile(l.path+".lock", os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}

	if err := unix.Flock(int(l.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		l.lock.Close()
		return nil, fmt.Errorf("journal: another process uses %s: %w", l.path, err)
	}

	if l.file, err = os.OpenFile(l.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600); err != nil {
		l.lock.Close()
		return nil, fmt.Errorf("journal: %w", err)
	}

	if err := l.read(log, restore); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %w", err), l.Close())
	}

	return l, nil
}

func (l *Lines) read(log *slog.Logger, restore func([]byte) error) error {
	reader := bufio.NewReader(l.file)

	for {
		text, err := reader.ReadBytes('\n')
		if text = bytes.TrimSpace(text); len(text) > 0 {
			l.count++

			if err := restore(text); err != nil {
				log.Warn("a kept line cannot be read", "file", l.path, "cause", err)
			}
		}

		switch {
		case errors.Is(err, io.EOF):
			_, err := l.file.WriteString("\n") // after a truncated line
			return err
		case err != nil:
			return err
		}
	}
}

// Append writes complete lines in one write.
func (l *Lines) Append(text []byte) error {
	l.count += bytes.Count(text, []byte("\n"))

	if l.torn {
		text = append([]byte("\n"), text...)
	}

	_, err := l.file.Write(text)
	if l.torn = err != nil; l.torn {
		return fmt.Errorf("journal: %w", err)
	}

	return nil
}

// Stale reports whether most lines are outdated, if live of them are not.
func (l *Lines) Stale(live int) bool { return l.count > 2*live+slack }

// Rewrite replaces the file with the lines that fill writes.
func (l *Lines) Rewrite(fill func(w io.Writer) error) error {
	file, err := os.OpenFile(l.path+".new", os.O_CREATE|os.O_TRUNC|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}

	w := &counter{Writer: bufio.NewWriterSize(file, 64<<10)}

	if err := fill(w); err != nil {
		file.Close()
		return fmt.Errorf("journal: %w", err)
	}

	if err := errors.Join(w.Flush(), file.Sync(), os.Rename(l.path+".new", l.path)); err != nil {
		file.Close()
		return fmt.Errorf("journal: %w", err)
	}

	l.file.Close()
	l.file, l.count, l.torn = file, w.lines, false

	return nil
}

type counter struct {
	*bufio.Writer
	lines int
}

func (c *counter) Write(p []byte) (int, error) {
	c.lines += bytes.Count(p, []byte("\n"))
	return c.Writer.Write(p)
}

// Close closes the file.
func (l *Lines) Close() error { return errors.Join(l.file.Close(), l.lock.Close()) }
