package httpapi

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A list is read to its end by the links of its pages (RFC 8288 §3.3), and the last page has none.
func TestPage(t *testing.T) {
	all := []string{"a", "b b", "c&d", "e;f", "g"}

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		from := slices.Index(all, r.URL.Query().Get("after")) + 1
		rows := Page(w, r, all[from:min(len(all), from+limit+1)], limit, "after", func(row string) string { return row })
		_ = Write(w, http.StatusOK, rows)
	}))
	defer server.Close()

	for limit, links := range map[int][]string{
		5: nil, 4: {"/a%2Flist?after=e%3Bf&limit=4&x=y"},
		2: {"/a%2Flist?after=b+b&limit=2&x=y", "/a%2Flist?after=e%3Bf&limit=2&x=y"},
	} {
		var (
			next        string
			rows, found []string
		)

		client := Client{Base: server.URL, Next: &next}
		path := "/a%2Flist?x=y&limit=" + strconv.Itoa(limit)

		var came []string
		for {
			if err := client.Do(t.Context(), "GET", path, nil, &rows); err != nil {
				t.Fatal(err)
			}

			if found = append(found, rows...); next == "" {
				break
			}

			came = append(came, next)
			path = next
		}

		if !slices.Equal(found, all) || !slices.Equal(came, links) {
			t.Errorf("by %d: %q by %q, want %q by %q", limit, found, came, all, links)
		}
	}
}

func TestWriteMore(t *testing.T) {
	for next, want := range map[string]string{
		"":                               "",
		"/accounts?limit=3":              "",
		"/accounts?after=bob&limit=3":    "there is more: --after bob\n",
		"/cdrs?before=17":                "there is more: --before 17\n",
		"/sessions?after=a.b%3B1%3Bx%27": `there is more: --after 'a.b;1;x'\'''` + "\n",
	} {
		var b bytes.Buffer
		if WriteMore(&b, next); b.String() != want {
			t.Errorf("%s: %q, want %q", next, b.String(), want)
		}
	}

	if got := nextOf(http.Header{"Link": {`</first>; rel="prev"`, "nonsense", `</second>; rel="next"`}}); got != "/second" ||
		strings.Contains(got, ">") {
		t.Error(got)
	}
}
