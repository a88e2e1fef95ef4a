package config

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type common struct {
	Level string `yaml:"level"`
}

type settings struct {
	Common `yaml:",inline"`
	Name   string        `yaml:"name"`
	Wait   time.Duration `yaml:"wait"`
	Peers  []peer        `yaml:"peers"`
	Inner  struct {
		Address netip.AddrPort `yaml:"address"`
		Tokens  []string       `yaml:"tokens"`
	} `yaml:"inner"`
}

// Common is exported, as inlined parts of real configurations are.
type Common struct {
	Log common `yaml:"log"`
}

type peer struct {
	Host string `yaml:"host"`
}

func (s *settings) Validate() error {
	if s.Name == "bad" {
		return errors.New("name: bad is refused, not clamped")
	}

	return nil
}

func defaults() *settings {
	return &settings{Common: Common{Log: common{Level: "info"}}, Name: "default", Wait: time.Second}
}

func TestLoad(t *testing.T) {
	tests := []struct {
		name        string
		file        string
		environment []string
		want        func(*settings)
		refusal     []string // parts of the error, in order
	}{
		{name: "nothing leaves the defaults", want: func(*settings) {}},
		{
			name: "a file changes what it names",
			file: "wait: 30s\npeers:\n  - host: a\ninner:\n  address: 127.0.0.1:80\n",
			want: func(s *settings) {
				s.Wait = 30 * time.Second
				s.Peers = []peer{{Host: "a"}}
				s.Inner.Address = netip.MustParseAddrPort("127.0.0.1:80")
			},
		},
		{
			name:        "the environment is stronger than the file",
			file:        "name: file\nlog:\n  level: warn\n",
			environment: []string{"X_NAME=[not yaml", "X_LOG_LEVEL=debug", "X_WAIT=2m", "X_INNER_TOKENS=[a, b]", "OTHER=1"},
			want: func(s *settings) {
				s.Name, s.Log.Level, s.Wait = "[not yaml", "debug", 2*time.Minute
				s.Inner.Tokens = []string{"a", "b"}
			},
		},
		{name: "an unknown key is refused with its line", file: "name: a\nnaem: b\n", refusal: []string{"[2:1]", "naem"}},
		{name: "a wrong type is refused with its line", file: "name: a\nwait: soon\n", refusal: []string{"line 2: wait", "soon"}},
		{name: "a second document is refused", file: "name: a\n---\nname: b\n", refusal: []string{"more than one"}},
		{name: "an unknown variable is refused", environment: []string{"X_NAEM=b"}, refusal: []string{"X_NAEM names no setting"}},
		{name: "a bad variable is refused", environment: []string{"X_WAIT=soon"}, refusal: []string{"X_WAIT", "soon"}},
		{name: "the configuration checks itself", file: "name: bad\n", refusal: []string{"refused, not clamped"}},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := ""
			if test.file != "" {
				path = filepath.Join(t.TempDir(), "x.yaml")
				if err := os.WriteFile(path, []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}

			got := defaults()
			err := Load(path, "X_", test.environment, got)

			if test.refusal != nil {
				if err == nil {
					t.Fatalf("loaded %+v, want a refusal", got)
				}
				rest := err.Error()
				for _, part := range test.refusal {
					_, after, found := strings.Cut(rest, part)
					if !found {
						t.Fatalf("want %q in\n%v", part, err)
					}
					rest = after
				}
				return
			}

			if err != nil {
				t.Fatal(err)
			}
			want := defaults()
			test.want(want)
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPrintedConfigurationLoads(t *testing.T) {
	want := defaults()
	want.Peers = []peer{{Host: "a"}}
	want.Inner.Address = netip.MustParseAddrPort("[::1]:80")

	var printed bytes.Buffer
	if err := Print(&printed, want); err != nil {
		t.Fatal(err)
	}

	got := new(settings)
	if err := decode(printed.Bytes(), got); err != nil {
		t.Fatalf("%v\n%s", err, printed.String())
	}
	if diff := cmp.Diff(want.Peers, got.Peers); diff != "" || got.Inner.Address != want.Inner.Address || got.Wait != want.Wait {
		t.Errorf("printed and read again: %+v, want %+v", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("name: a\npeers:\n  - host: b\n")
	f.Add("&a [*a]")
	f.Fuzz(func(t *testing.T, file string) {
		_ = decode([]byte(file), defaults())
	})
}

// What Keys says of a value is what the environment may say for it.
func TestKeysSayWhatTheEnvironmentMay(t *testing.T) {
	want := defaults()
	want.Wait, want.Peers = 2*time.Hour, []peer{{Host: "a:1"}, {Host: "b"}}
	want.Inner.Address, want.Inner.Tokens = netip.MustParseAddrPort("[::1]:80"), []string{"00", "x: y", "true"}

	var (
		environment []string
		list        []string
	)

	for _, key := range Keys(want) {
		environment = append(environment, "X_"+variable(key.Path)+"="+key.Value)
		list = append(list, key.Path+" ("+key.Type+") "+key.Value)
	}

	got := new(settings)
	if err := Load("", "X_", environment, got); err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Error(diff)
	}

	if diff := cmp.Diff([]string{
		"log.level (string) info",
		"name (string) default",
		"wait (duration) 2h",
		"peers (list of {host}) [{host: \"a:1\"}, {host: b}]",
		"inner.address (string) \"[::1]:80\"",
		"inner.tokens (list of string) [\"00\", \"x: y\", \"true\"]",
	}, list); diff != "" {
		t.Error(diff)
	}
}
