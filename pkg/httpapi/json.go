package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
)

const maxBody = 4 << 20 // octets of a request body

// Error is a client error, answered as application/problem+json (RFC 9457).
type Error struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail,omitempty"`
	Item   *int   `json:"item,omitempty"` // which of several in one request, from 0
}

// Error returns the sentence that a command line shows.
func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Title
	}

	return e.Title + ": " + e.Detail
}

func (e *Error) write(w http.ResponseWriter) {
	body, _ := json.Marshal(e) // a struct of strings always marshals
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(e.Status)
	_, _ = w.Write(append(body, '\n')) // the client is gone if this fails
}

// Decode decodes one JSON value; another Content-Type, unknown fields and trailing data are refused.
func Decode[T any](r *http.Request) (T, error) {
	var value T

	if !hasType(r, "application/json") && r.ContentLength != 0 {
		return value, unsupported(r)
	}

	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()

	if err := decoder.Decode(&value); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return value, &Error{Status: http.StatusRequestEntityTooLarge, Title: "the body is too large", Detail: err.Error()}
		}

		return value, &Error{Status: http.StatusBadRequest, Title: "the body cannot be read", Detail: reworded(err).Error()}
	}

	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return value, &Error{Status: http.StatusBadRequest, Title: "the body cannot be read", Detail: "there is more than one JSON value"}
	}

	return value, nil
}

// reworded rewords the error of a JSON value of the wrong type; other errors stay as they are.
func reworded(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err
	}

	needed := wrong.Type.String()

	switch wrong.Type.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		needed = "a whole number"
	case reflect.Float32, reflect.Float64:
		needed = "a number"
	case reflect.String:
		needed = "a text"
	case reflect.Bool:
		needed = "true or false"
	case reflect.Slice, reflect.Array:
		needed = "a list"
	case reflect.Struct, reflect.Map:
		needed = "an object"
	default:
	}

	field := wrong.Field
	if field == "" {
		field = "the value"
	}

	return fmt.Errorf("%s: %s is not %s", field, strings.TrimPrefix(wrong.Value, "number "), needed)
}

// Write answers with v as JSON; for a nil v without a body.
func Write(w http.ResponseWriter, status int, v any) error {
	if v == nil {
		w.WriteHeader(status)
		return nil
	}

	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}

	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client is gone if this fails

	return nil
}

// Get returns a resource that shows the result of get as JSON; get is called for each request.
func Get[T any](path, summary string, get func() T) Resource {
	return Resource{
		Pattern: "GET " + path, Summary: summary, Answers: OK(*new(T)),
		Handler: func(w http.ResponseWriter, _ *http.Request) error { return Write(w, http.StatusOK, get()) },
	}
}

// OK returns the answer 200 with a body of the type of v.
func OK(v any) []Answer { return []Answer{{Status: http.StatusOK, Body: v}} }

// NoContent returns the answer 204.
func NoContent() []Answer { return []Answer{{Status: http.StatusNoContent}} }
