package httpapi

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Page returns what is shown of a list that is read one row beyond limit: no more than limit. If there are more, the answer says so by
// Next, with the key of the last one shown.
func Page[T any](w http.ResponseWriter, r *http.Request, rows []T, limit int, parameter string, key func(T) string) []T {
	if len(rows) <= limit {
		return rows
	}

	rows = rows[:limit]
	Next(w, r, parameter, key(rows[limit-1]))

	return rows
}

// Next says that a list goes on, by a link with the relation next (RFC 8288 §3.3): the same request, with a parameter for what is
// behind the part shown. It goes in front of the answer.
func Next(w http.ResponseWriter, r *http.Request, parameter, value string) {
	query := r.URL.Query()
	query.Set(parameter, value)

	next := url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: query.Encode()}
	w.Header().Add("Link", "<"+next.String()+`>; rel="next"`)
}

// nextOf returns the path of the link that Next has made; "" if there is none.
func nextOf(h http.Header) string {
	for _, link := range h.Values("Link") {
		target, parameters, found := strings.Cut(strings.TrimPrefix(link, "<"), ">")
		if found && strings.TrimSpace(parameters) == `; rel="next"` {
			return target
		}
	}

	return ""
}

// WriteMore says on a command line that a list goes on, if it does, and with which flag: those are named as the parameters are.
func WriteMore(w io.Writer, next string) {
	at, err := url.Parse(next)
	if err != nil {
		return
	}

	for _, parameter := range []string{"after", "before"} {
		if value := at.Query().Get(parameter); value != "" {
			fmt.Fprintf(w, "there is more: --%s %s\n", parameter, quoted(value))
		}
	}
}

// quoted returns a word as a shell reads it.
func quoted(word string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("@:+-_./,=", c)
	}

	if strings.IndexFunc(word, func(c rune) bool { return !plain(c) }) < 0 {
		return word
	}

	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
