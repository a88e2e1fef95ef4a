package overn5

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dialtone-ims/dialtone/pcscf/internal/bearer"
)

// Any notification about an unknown session is refused.
func FuzzNotification(f *testing.F) {
	f.Add("x/terminate", `{"termCause":"PDU_SESSION_TERMINATION","resUri":"http://pcf/x"}`)
	f.Add("x/notify", `{"evSubsUri":"u","evNotifs":[{"event":"FAILED_RESOURCES_ALLOCATION","flows":[{"medCompN":1}]}]}`)
	f.Add("x/notify", `{"evNotifs":[{"event":"ACCESS_TYPE_CHANGE"}],"accessType":"3GPP_ACCESS","failedResourcAllocReports":[{}]}`)
	f.Add("../notify", `[]`)

	p := New(Config{PCF: "http://192.0.2.20", Notify: "192.0.2.10:7777"}, Options{})
	b := bearer.New(p, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	handler := p.handler(b)

	f.Fuzz(func(t *testing.T, path, body string) {
		r := httptest.NewRequest(http.MethodPost, notifications, strings.NewReader(body))
		r.URL.Path = notifications + path

		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)

		if w.Code < 300 {
			t.Errorf("%d", w.Code)
		}
	})
}
