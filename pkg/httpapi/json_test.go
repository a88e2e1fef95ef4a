package httpapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func post(body string) *http.Request {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")

	return r
}

func TestDecodeRefuses(t *testing.T) {
	type body struct {
		Name string `json:"name"`
	}

	tests := []struct {
		name, body string
		status     int
	}{
		{"right", `{"name": "a"}`, 0},
		{"unknown field", `{"nmae": "a"}`, http.StatusBadRequest},
		{"wrong type", `{"name": 1}`, http.StatusBadRequest},
		{"more behind", `{"name": "a"} {}`, http.StatusBadRequest},
		{"cut off", `{"name": "a"`, http.StatusBadRequest},
		{"empty", ``, http.StatusBadRequest},
		{"too large", `{"name": "` + strings.Repeat("a", maxBody) + `"}`, http.StatusRequestEntityTooLarge},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var err error
			handler := http.MaxBytesHandler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, err = Decode[body](r)
			}), maxBody)
			handler.ServeHTTP(httptest.NewRecorder(), post(test.body))

			var problem *Error
			status := 0
			if errors.As(err, &problem) {
				status = problem.Status
			}
			if status != test.status {
				t.Errorf("got %v, want status %d", err, test.status)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"a": [1, {"b": null}]}`)
	f.Fuzz(func(_ *testing.T, body string) {
		_, _ = Decode[map[string]int](post(body))
	})
}
