package records

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// read returns each record as "line: name age", and the error.
func read(text string) string {
	var all []string

	err := Read(strings.NewReader(text), []string{"age"}, func(r Record) error {
		var one struct {
			Name string `json:"name"`
			Age  int    `json:"age"`
		}
		if err := r.Into(&one, "other"); err != nil {
			return err
		}
		all = append(all, fmt.Sprintf("%d: %s %d", r.Line, one.Name, one.Age))

		return nil
	})
	if err != nil {
		all = append(all, err.Error())
	}

	return strings.Join(all, "; ")
}

func TestRead(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"an object":               {"\n {\"name\": \"a\",\n \"age\": 1}\n", "3: a 1"},
		"lines":                   {"{\"name\": \"a\"}\n\n{\"name\": \"b\", \"other\": [1]}\n", "1: a 0; 3: b 0"},
		"an array":                {"[{\"name\": \"a\"},\n{\"name\": \"b\"}\n]\n", "1: a 0; 2: b 0"},
		"an empty array":          {"[]", ""},
		"CSV":                     {"name,age,other\na,1,x\n\n# a note\n\"b, c\",,\n", "2: a 1; 5: b, c 0"},
		"CSV of Windows":          {"\ufeffName, Age\r\na, 1\r\n", "2: a 1"},
		"nothing":                 {" \n", "there is nothing in it"},
		"an unknown field":        {"{\"name\": \"a\"}\n{\"nmae\": \"b\"}", `1: a 0; line 2: json: unknown field "nmae"`},
		"an unknown column":       {"name,height\na,1\n", `line 2: json: unknown field "height"`},
		"semicolons":              {"name;age\na;1\n", `line 1: commas are needed between the columns: "name;age"`},
		"tabulators":              {"name\tage\na\t1\n", `line 1: commas are needed between the columns: "name\tage"`},
		"a column without a name": {"name,\na,1\n", `line 1: it names the columns, and column 2 has no name of its own: ""`},
		"a column twice":          {"name,name\na,1\n", `line 1: it names the columns, and column 2 has no name of its own: "name"`},
		"no number": {
			"name,age\na,old\n",
			`line 2: age: "old" is no number`,
		},
		"no JSON number":           {"name,age\na,0x10\n", `line 2: age: "0x10" is no number`},
		"no whole number":          {"name,age\na,10.50\n", "line 2: age is 10.50, and must be a whole number"},
		"text for a number":        {"{\"age\": \"1\"}", "line 1: age is text, and must be a whole number"},
		"a number for text":        {"{\"name\": 1}", "line 1: name is a number, and must be text"},
		"a row too short":          {"name,age\na\n", "record on line 2: wrong number of fields"},
		"a line that is cut off":   {"{\"name\": \"a\"}\n{\"name\":", "1: a 0; line 2: no JSON object: unexpected EOF"},
		"an array that is cut off": {"[{\"name\": \"a\"}\n", "1: a 0; line 2: the array does not end: EOF"},
		"more behind the array":    {"[{\"name\": \"a\"}]\n{}", "1: a 0; line 2: there is more behind the array"},
		"no object": {
			"{\"name\": \"a\"}\n1\n",
			"1: a 0; line 2: no JSON object: json: cannot unmarshal number into Go value of type map[string]json.RawMessage",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := read(test.text); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add("name,age\na,1\n")
	f.Add("[{\"name\": \"a\"}]")
	f.Add("{\"name\": \"a\"}\n{\"name\": \"b\"}")
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		_ = Read(strings.NewReader(text), []string{"age"}, func(r Record) error {
			if r.Line < last || r.Line > strings.Count(text, "\n")+1+strings.Count(text, "\r") {
				t.Errorf("line %d after %d", r.Line, last)
			}
			last = r.Line

			return r.Into(new(map[string]any))
		})
	})
}

// batch puts 1200 lines, of which one may be refused by its item in a request.
func batch(t *testing.T, refused, passed int) (requests []int, notes, said string, added int) {
	t.Helper()

	var out strings.Builder
	b := Batch[int]{What: "things", Notes: &out, Passed: passed, Add: func(all []int) (Added, error) {
		requests = append(requests, len(all))
		for i, line := range all {
			if line == refused {
				return Added{}, fmt.Errorf("POST: %w", &httpapi.Error{Status: http.StatusConflict, Title: "taken", Item: &i})
			}
		}
		return Added{Added: len(all), Warnings: []Warning{{Item: 1, Warning: "odd"}}}, nil
	}}

	var err error
	for line := 1; line <= 1200 && err == nil; line++ {
		err = b.Put(line, line)
	}
	if added, err = b.End(err); err != nil {
		said = err.Error()
	}

	return requests, out.String(), said, added
}

func TestBatch(t *testing.T) {
	requests, notes, said, added := batch(t, 0, 0)
	if fmt.Sprint(requests) != "[500 500 200]" || said != "" || added != 1200 {
		t.Errorf("%v, %d, %s", requests, added, said)
	}
	if !strings.Contains(notes, "line 502: warning: odd\n") || strings.Contains(notes, "added") {
		t.Errorf("notes:\n%s", notes)
	}

	_, _, said, added = batch(t, 777, 0)
	if want := "line 777: POST: taken; 500 things up to line 500 are added, and none behind it: go on with --after 500"; said != want ||
		added != 500 {
		t.Errorf("%d, %s", added, said)
	}
	if requests, _, said, _ = batch(t, 0, 500); fmt.Sprint(requests) != "[500 200]" || said != "" {
		t.Errorf("behind line 500: %v, %s", requests, said)
	}
	if _, _, said, _ = batch(t, 3, 0); said != "line 3: POST: taken; nothing is added" {
		t.Error(said)
	}
}

func TestRefused(t *testing.T) {
	var problem *httpapi.Error
	if err := Refused(3, &httpapi.Error{Status: 409, Title: "taken"}); !errors.As(err, &problem) || *problem.Item != 3 {
		t.Errorf("%+v", err)
	}
	ill := errors.New("the database is ill")
	if err := Refused(3, ill); !errors.Is(err, ill) || errors.As(err, &problem) && problem.Title != "taken" {
		t.Errorf("%v: what is ours is nobody's item", err)
	}
}

func TestOpen(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("of the file"), 0o600); err != nil {
		t.Fatal(err)
	}

	for of, want := range map[string]string{name: "of the file", "-": "of the input"} {
		from, err := Open(of, strings.NewReader("of the input"))
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(from); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", of, text, err)
		}
		if err := from.Close(); err != nil {
			t.Error(err)
		}
	}

	if _, err := Open(name+"x", nil); err == nil {
		t.Error("a file that is not there was opened")
	}
}
