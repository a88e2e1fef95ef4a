package scenario

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"

	"github.com/dialtone-ims/dialtone/pkg/config"
)

// Options are what a command line changes of a scenario.
type Options struct {
	Short       bool // the short form
	Repetitions int  // 0: as the scenario says
	Seed        uint64
	Set         []string // parameter=value
}

// Load reads a scenario, and changes what the options say. An unknown key, or a value that cannot be, is an error with the line.
func Load(path string, o Options) (*Scenario, error) {
	s := Default()
	s.folder = filepath.Dir(path)

	if err := config.Load(path, "", nil, (*unchecked)(s)); err != nil {
		return nil, err
	}

	if o.Short {
		for _, item := range s.Short {
			if err := s.Set(item.Name, item.Value); err != nil {
				return nil, fmt.Errorf("%s: short: %w", path, err)
			}
		}
	}

	s.Short = nil

	if o.Repetitions > 0 {
		s.Repetitions = o.Repetitions
	}

	if o.Seed > 0 {
		s.Seed = o.Seed
	}

	for _, text := range o.Set {
		if err := s.setText(text); err != nil {
			return nil, fmt.Errorf("--set: %w", err)
		}
	}

	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}

	if _, err := s.Points(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}

	return s, nil
}

// unchecked is a scenario that is checked when all its parameters are known.
type unchecked Scenario

// Validate accepts all.
func (*unchecked) Validate() error { return nil }

func (s *Scenario) setText(text string) error {
	for i := range text {
		if text[i] != '=' {
			continue
		}

		var value any
		if err := yaml.Unmarshal([]byte(text[i+1:]), &value); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}

		return s.Set(text[:i], value)
	}

	return fmt.Errorf("%q is not parameter=value", text)
}

// Open opens a file that the scenario names, from the scenario's own folder.
func (s *Scenario) Open(name string) (*os.File, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(s.folder, name)
	}

	return os.Open(name)
}

var errNothing = errors.New("population: there is nobody who does anything")
