package trace

import (
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

const maxServed = 10_000 // messages in one answer

// Serve answers GET /trace?after=SEQUENCE&limit=N with the ring as JSON (data in base64) and GET /trace.pcapng with the
// ring as a capture.
func (r *Recorder) Serve(admin *httpapi.Server) {
	admin.Handle("GET /trace", func(w http.ResponseWriter, request *http.Request) error {
		after, err := number(request, "after", 0)
		if err != nil {
			return err
		}

		limit, err := number(request, "limit", 1000)
		if err != nil {
			return err
		}

		return httpapi.Write(w, http.StatusOK, r.After(after, int(min(limit, maxServed))))
	})

	admin.Handle("GET /trace.pcapng", func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "application/x-pcapng")
		return r.WriteCapture(w)
	})
}

// WriteCapture writes what the ring holds as a pcapng file.
func (r *Recorder) WriteCapture(w io.Writer) error {
	packets, err := newPacketWriter(w)
	if err != nil {
		return fmt.Errorf("trace: %w", err)
	}

	for _, record := range r.After(0, maxRing) {
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
