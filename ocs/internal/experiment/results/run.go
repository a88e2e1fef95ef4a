package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Run is one run of one point.
type Run struct {
	Point      string             `json:"point"`
	Values     []string           `json:"values"` // of the parameters
	Repetition int                `json:"repetition"`
	Seed       uint64             `json:"seed"`
	Figures    map[string]float64 `json:"figures"`
	Latency    Histogram          `json:"latency"`
	Series     []Sample           `json:"series"`
}

// Save writes the run to its folder. It is there as a whole, or not at all.
func (r *Run) Save(folder string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}

	return Replace(filepath.Join(folder, "run.json"), append(text, '\n'))
}

// Replace writes a file so that it is there as a whole, or as it was.
func Replace(path string, text []byte) error {
	if err := os.WriteFile(path+".new", text, 0o644); err != nil { //nolint:gosec // results are for all to read
		return err
	}

	return os.Rename(path+".new", path)
}

// Load reads the run that a folder has; nil if there is none.
func Load(folder string) (*Run, error) {
	text, err := os.ReadFile(filepath.Join(folder, "run.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}

	if err != nil {
		return nil, err
	}

	r := new(Run)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}

	return r, nil
}
