package httpapi

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Page returns the rows to show of a list that was read one row beyond limit: at most limit. If there are more, it calls Next with the key
// of the last one shown.
func Page[T any](w http.ResponseWriter, r *http.Request, rows []T, limit int, parameter string, key func(T) string) []T {
	if len(rows) <= limit {
		return rows
	}

	rows = rows[:limit]
	Next(w, r, parameter, key(rows[limit-1]))

	return rows
}

// Next links to the next page of a list by the relation next (RFC 8288 §3.3): the same request, with a parameter for the position. It is
// called before the answer is written.
func Next(w http.ResponseWriter, r *http.Request, parameter, value string) {
	query := r.URL.Query()
	query.Set(parameter, value)

	next := url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: query.Encode()}
	w.Header().Add("Link", "<"+next.String()+`>; rel="next"`)
}

// nextOf returns the path of the link set by Next; "" if there is none.
func nextOf(h http.Header) string {
	for _, link := range h.Values("Link") {
		target, parameters, found := strings.Cut(strings.TrimPrefix(link, "<"), ">")
		if found && strings.TrimSpace(parameters) == `; rel="next"` {
			return target
		}
	}

	return ""
}

// WriteMore tells on a command line that a list has more, if it does, and the flag for it: flags are named like the parameters.
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

// quoted returns a word quoted for a shell.
func quoted(word string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("@:+-_./,=", c)
	}

	if strings.IndexFunc(word, func(c rune) bool { return !plain(c) }) < 0 {
		return word
	}

	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
