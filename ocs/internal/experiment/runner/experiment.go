package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/results"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
	"github.com/dialtone-ims/dialtone/pkg/config"
)

// Options are where and how an experiment is run.
type Options struct {
	Folder   string    // of the results
	Binary   string    // of an OCS in a process of its own
	Parallel int       // runs at a time; 0: in virtual time one for each processor, else one
	Fresh    bool      // what is in the folder does not count
	Progress io.Writer //
}

// errAnother is returned for a folder with the results of another scenario.
var errAnother = errors.New("the folder has results of another scenario, or of other parameters; take another folder, or --fresh")

// Run plays all runs that the folder does not have yet, and returns those that are there then: if ctx ends before, with its error.
func Run(ctx context.Context, s *scenario.Scenario, o Options) ([]*results.Run, error) {
	points, err := s.Points()
	if err != nil {
		return nil, err
	}

	if err := prepareFolder(s, o); err != nil {
		return nil, err
	}

	var waiting []*run

	all := make([]*results.Run, len(points)*s.Repetitions)
	told := newProgress(o.Progress, len(all))

	for i := range points {
		for repetition := range s.Repetitions {
			folder := filepath.Join(o.Folder, "runs", fmt.Sprintf("%s,%d", safe(points[i].Name), repetition+1))

			done, err := results.Load(folder)
			if err != nil {
				return nil, err
			}

			if all[i*s.Repetitions+repetition] = done; done != nil {
				told.kept++
				continue
			}

			waiting = append(waiting, &run{
				point: &points[i], scenario: points[i].Scenario, repetition: repetition, seed: seedOf(s, repetition), folder: folder,
				binary: o.Binary, progress: told,
			})
		}
	}

	if told.kept > 0 {
		fmt.Fprintf(o.Progress, "%d of %d runs are there already\n", told.kept, len(all))
	}

	err = playAll(ctx, waiting, o.parallel(s))

	for _, r := range waiting {
		done, loadErr := results.Load(r.folder)
		err = errors.Join(err, loadErr)

		for i := range points {
			if &points[i] == r.point {
				all[i*s.Repetitions+r.repetition] = done
			}
		}
	}

	return there(all), err
}

func there(all []*results.Run) (done []*results.Run) {
	for _, r := range all {
		if r != nil {
			done = append(done, r)
		}
	}

	return done
}

func (o *Options) parallel(s *scenario.Scenario) int {
	switch {
	case o.Parallel > 0:
		return o.Parallel
	case s.Time == scenario.VirtualTime:
		return runtime.GOMAXPROCS(0)
	default:
		return 1 // runs would be in each other's way
	}
}

func playAll(ctx context.Context, waiting []*run, parallel int) error {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(parallel)

	for _, r := range waiting {
		group.Go(func() error {
			if inner.Err() != nil {
				return inner.Err()
			}

			if err := os.MkdirAll(r.folder, 0o755); err != nil { //nolint:gosec // results are for all to read
				return err
			}

			began := time.Now()

			done, err := r.play(inner)
			if err != nil {
				return fmt.Errorf("%s, repetition %d: %w", r.point.Name, r.repetition+1, err)
			}

			if err := done.Save(r.folder); err != nil {
				return err
			}

			r.progress.finished(r, done, time.Since(began))
			r.release()

			return nil
		})
	}

	return group.Wait()
}

// release lets go of what a run that is done does not need any more.
func (r *run) release() { r.timeline, r.client, r.link, r.tally, r.host = nil, nil, nil, nil, nil }

// prepareFolder makes the folder of the results, or finds in it what was done of the same experiment before.
func prepareFolder(s *scenario.Scenario, o Options) error {
	var text bytes.Buffer
	if err := config.Print(&text, s); err != nil {
		return err
	}

	file := filepath.Join(o.Folder, "scenario.yaml")

	if o.Fresh {
		if err := errors.Join(os.RemoveAll(filepath.Join(o.Folder, "runs")), remove(file)); err != nil {
			return err
		}
	}

	if err := os.MkdirAll(filepath.Join(o.Folder, "runs"), 0o755); err != nil { //nolint:gosec // results are for all to read
		return err
	}

	switch before, err := os.ReadFile(file); {
	case errors.Is(err, fs.ErrNotExist):
		return results.Replace(file, text.Bytes())
	case err != nil:
		return err
	case !bytes.Equal(before, text.Bytes()):
		return fmt.Errorf("%s: %w", o.Folder, errAnother)
	default:
		return nil
	}
}

func remove(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}

	return nil
}

// safe returns a name of a point as a name of a folder.
func safe(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>| []{}`, r) {
			return '_'
		}

		return r
	}, name)
}
