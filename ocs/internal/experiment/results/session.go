// Package results is what an experiment finds: every session, the figures of each run, and their means over the repetitions with what
// they are worth.
package results

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
)

// Outcome is how a session ended.
type Outcome string

// The outcomes of sessions.
const (
	Completed  Outcome = "completed"  // the subscriber had what was wanted
	Unanswered Outcome = "unanswered" // the called party did not answer
	Refused    Outcome = "refused"    // by the OCS, at the beginning: no credit, unknown, blocked
	Cut        Outcome = "cut"        // the credit ended before the session
	Failed     Outcome = "failed"     // refused or cut off because the OCS did not answer
	Vanished   Outcome = "vanished"   // the network function was gone
	Unfinished Outcome = "unfinished" // at the end of the run
)

// Session is one session or event, as the network function saw it.
type Session struct {
	ID         string  `json:"session"`
	Group      string  `json:"group"`
	Subscriber int     `json:"subscriber"`
	Account    string  `json:"account"`
	Kind       string  `json:"kind"`
	Called     string  `json:"called,omitempty"`
	Begun      float64 `json:"begun"`          // seconds since the start of the run
	Lasted     float64 `json:"lasted"`         // seconds until its end, ringing included
	Wanted     uint64  `json:"wanted"`         // seconds, octets or messages
	Used       uint64  `json:"used"`           //
	Reported   uint64  `json:"reported"`       // and acknowledged by the OCS
	Overshoot  uint64  `json:"overshoot"`      // used beyond what was granted
	Idle       float64 `json:"idle"`           // granted and not used, units times seconds
	Open       float64 `json:"open"`           // seconds in which something was granted
	Stalled    float64 `json:"stalled"`        // seconds in which data waited for a grant
	Requests   int     `json:"requests"`       // CCRs, repeated ones included
	Repeats    int     `json:"repeats"`        //
	Divided    int     `json:"divided"`        // reports of what was used before and after a change of price
	Value      int64   `json:"value"`          // what the use would cost, minor units
	Charged    *int64  `json:"charged"`        // what the OCS said that it has cost
	Outcome    Outcome `json:"outcome"`        //
	Result     uint32  `json:"result_code"`    // of the last answer
	Counts     bool    `json:"counts"`         // it began after the warm-up
	Start      string  `json:"time,omitempty"` // of its beginning, RFC 3339
}

var columns = []string{
	"session", "group", "subscriber", "account", "kind", "called", "time", "begun", "lasted", "wanted", "used", "reported", "overshoot",
	"idle", "open", "stalled", "requests", "repeats", "divided", "value", "charged", "outcome", "result_code", "counts",
}

func (s *Session) row() []string {
	charged := ""
	if s.Charged != nil {
		charged = strconv.FormatInt(*s.Charged, 10)
	}

	whole := func(n uint64) string { return strconv.FormatUint(n, 10) }

	return []string{
		s.ID, s.Group, strconv.Itoa(s.Subscriber), s.Account, s.Kind, s.Called, s.Start, number(s.Begun), number(s.Lasted),
		whole(s.Wanted), whole(s.Used), whole(s.Reported), whole(s.Overshoot), number(s.Idle), number(s.Open), number(s.Stalled),
		strconv.Itoa(s.Requests), strconv.Itoa(s.Repeats), strconv.Itoa(s.Divided), strconv.FormatInt(s.Value, 10), charged, string(s.Outcome),
		whole(uint64(s.Result)), strconv.FormatBool(s.Counts),
	}
}

// number writes a number with at most three decimals.
func number(x float64) string {
	return strconv.FormatFloat(float64(int64(x*1000+0.5))/1000, 'f', -1, 64)
}

// Writer writes sessions down as they end: none stays in memory.
type Writer struct {
	files []*os.File
	text  []*bufio.Writer
	csv   *csv.Writer
	json  *json.Encoder
}

// NewWriter makes the files of a run in a folder: sessions.csv and sessions.jsonl, or what is wanted of them.
func NewWriter(folder string, forms []string) (*Writer, error) {
	w := &Writer{}

	for _, form := range forms {
		name := "sessions.csv"
		if form == scenario.JSON {
			name = "sessions.jsonl"
		}

		file, err := os.Create(filepath.Join(folder, name))
		if err != nil {
			return nil, errors.Join(err, w.Close())
		}

		text := bufio.NewWriterSize(file, 64<<10)
		w.files, w.text = append(w.files, file), append(w.text, text)

		if form == scenario.JSON {
			w.json = json.NewEncoder(text)
			continue
		}

		w.csv = csv.NewWriter(text)
		if err := w.csv.Write(columns); err != nil {
			return nil, errors.Join(err, w.Close())
		}
	}

	return w, nil
}

// Write writes a session.
func (w *Writer) Write(s *Session) error {
	var err error

	if w.csv != nil {
		err = w.csv.Write(s.row())
	}

	if w.json != nil {
		err = errors.Join(err, w.json.Encode(s))
	}

	return err
}

// Close writes what is left, and closes the files.
func (w *Writer) Close() (err error) {
	if w.csv != nil {
		w.csv.Flush()
		err = w.csv.Error()
	}

	for i := range w.files {
		err = errors.Join(err, w.text[i].Flush(), w.files[i].Close())
	}

	return err
}

// stamp is the form of times.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
