package trace

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

const maxServed = 10_000 // messages in one answer

var (
	after  = httpapi.Parameter{Name: "after", Summary: "sequence number: those behind it", Number: true, Most: math.MaxUint64}
	before = httpapi.Parameter{Name: "before", Summary: "sequence number: those in front of it", Number: true, Most: math.MaxUint64}
	limit  = httpapi.Limit(1000, maxServed)
)

// Resources are GET /trace and GET /trace.pcapng, the messages of the ring as JSON and as a capture.
func (r *Recorder) Resources() []httpapi.Resource {
	return []httpapi.Resource{
		{
			Pattern: "GET /trace", Summary: "the newest messages, or those after or before one, the oldest of them first",
			Query:   []httpapi.Parameter{limit, after, before},
			Answers: []httpapi.Answer{{Status: http.StatusOK, Body: []Record{}, Lists: true}}, Handler: r.show,
		},
		{
			Pattern: "GET /trace.pcapng", Summary: "all messages that are kept, as a capture",
			Answers: []httpapi.Answer{{Status: http.StatusOK, Type: "application/x-pcapng"}},
			Handler: func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Content-Type", "application/x-pcapng")
				return r.writeCapture(w)
			},
		},
	}
}

func (r *Recorder) show(w http.ResponseWriter, request *http.Request) error {
	limit := int(limit.NumberOf(request))
	sequence := func(record Record) string { return strconv.FormatUint(record.Sequence, 10) }

	if after.Of(request) != "" {
		if before.NumberOf(request) > 0 {
			return &httpapi.Error{Status: http.StatusBadRequest, Title: "after and before are not for one request"}
		}

		records := described(r.after(after.NumberOf(request), limit+1))

		return httpapi.Write(w, http.StatusOK, httpapi.Page(w, request, records, limit, "after", sequence))
	}

	records := described(r.before(before.NumberOf(request), limit+1))
	if len(records) > limit {
		records = records[1:] // the oldest is not shown
		httpapi.Next(w, request, "before", sequence(records[0]))
	}

	return httpapi.Write(w, http.StatusOK, records)
}

func described(records []Record) []Record {
	for i := range records {
		records[i] = describe(records[i])
	}

	return records
}

// writeCapture writes what the ring holds as a pcapng file.
func (r *Recorder) writeCapture(w io.Writer) error {
	packets, err := newPacketWriter(w)
	if err != nil {
		return fmt.Errorf("trace: %w", err)
	}

	for _, record := range r.after(0, maxRing) {
		if err := packets.write(record.Message); err != nil {
			return fmt.Errorf("trace: %w", err)
		}
	}

	return packets.flush()
}
