package trace

import (
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

const maxServed = 10_000 // messages in one answer

// Serve answers GET /trace?limit=N with the newest messages of the ring as JSON (data in base64), or with those that came before or
// after one, GET /trace?after=SEQUENCE&limit=N; the oldest first. GET /trace.pcapng is the ring as a capture.
func (r *Recorder) Serve(admin *httpapi.Server) {
	admin.Handle("GET /trace", func(w http.ResponseWriter, request *http.Request) error {
		for name := range request.URL.Query() {
			if name != "after" && name != "before" && name != "limit" {
				return &httpapi.Error{
					Status: http.StatusBadRequest,
					Title:  "there is no parameter " + name,
					Detail: "there are after, before and limit",
				}
			}
		}

		after, err := number(request, "after", 0)
		if err != nil {
			return err
		}

		before, err := number(request, "before", 0)
		if err != nil {
			return err
		}

		limit, err := number(request, "limit", 1000)
		if err != nil {
			return err
		}

		if limit < 1 || limit > maxServed {
			return &httpapi.Error{
				Status: http.StatusBadRequest,
				Title:  "limit is not 1 to " + strconv.Itoa(maxServed),
				Detail: strconv.FormatUint(limit, 10),
			}
		}

		if request.URL.Query().Get("after") != "" {
			if before > 0 {
				return &httpapi.Error{Status: http.StatusBadRequest, Title: "after and before are not for one request"}
			}

			records := r.after(after, int(limit)+1)
			sequence := func(record Record) string { return strconv.FormatUint(record.Sequence, 10) }

			return httpapi.Write(w, http.StatusOK, httpapi.Page(w, request, records, int(limit), "after", sequence))
		}

		records := r.before(before, int(limit)+1)
		if len(records) > int(limit) {
			records = records[1:] // the oldest is not shown
			httpapi.Next(w, request, "before", strconv.FormatUint(records[0].Sequence, 10))
		}

		return httpapi.Write(w, http.StatusOK, records)
	})

	admin.Handle("GET /trace.pcapng", func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "application/x-pcapng")
		return r.writeCapture(w)
	})
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

func number(r *http.Request, name string, otherwise uint64) (uint64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}

	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, &httpapi.Error{Status: http.StatusBadRequest, Title: name + " is not a number", Detail: text}
	}

	return n, nil
}
