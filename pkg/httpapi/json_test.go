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

// A value of the wrong type is described in words, not in terms of Go.
func TestUnreadable(t *testing.T) {
	type body struct {
		Balance int64    `json:"balance"`
		Name    string   `json:"name"`
		Rates   []string `json:"rates"`
		On      bool     `json:"on"`
	}

	for text, want := range map[string]string{
		`{"balance": 10.50}`: "balance: 10.50 is not a whole number",
		`{"balance": "10"}`:  "balance: string is not a whole number",
		`{"name": 5}`:        "name: number is not a text",
		`{"rates": {}}`:      "rates: object is not a list", `{"on": "yes"}`: "on: string is not true or false",
		`[]`: "the value: array is not an object", `{"x": 1}`: `json: unknown field "x"`,
	} {
		request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(text))
		request.Header.Set("Content-Type", "application/json")

		_, err := Decode[body](request)

		var problem *Error
		if !errors.As(err, &problem) || problem.Detail != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
