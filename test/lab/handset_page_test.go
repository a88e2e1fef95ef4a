package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The guide for soft phones names no command or flag that there is not. What it says of baresip and linphone is what test/interop
// does with them.
func TestSoftphonePage(t *testing.T) {
	page := guide(t, "softphone.md")
	commands(t, page, 9)
	links(t, page)

	// What the phones of test/interop are configured with, but for addresses, the page has, too: a phone without one of these does nothing.
	for file, keys := range map[string]string{
		"baresip_test.go": `(?m)^(?:module_path|module|module_app) (?:/\S+|g711\.so|aubridge\.so|account\.so|menu\.so)$`,
		"phone_test.go":   `(?m)(?:sip_port|sip_tcp_port|sip_tls_port|default_proxy|reg_sendregister)=\d+$`,
	} {
		text, err := os.ReadFile("../interop/" + file)
		if err != nil {
			t.Fatal(err)
		}

		lines := regexp.MustCompile(keys).FindAllString(string(text), -1)
		if len(lines) < 5 {
			t.Errorf("%s has only %q", file, lines)
		}

		for _, line := range lines {
			if !strings.Contains(page, "    "+line+"\n") {
				t.Errorf("docs/softphone.md does not have %s, which %s has", line, file)
			}
		}
	}

	for _, needed := range []string{
		"auth_user=dora@ims.mnc001.mcc001.3gppnetwork.org", `outbound="sip:127.0.0.10:5060"`, "userid=dora@ims.mnc001.mcc001.3gppnetwork.org",
		"--identity sip:", "--user dora --password secret-of-dora --msisdn",
	} {
		if !strings.Contains(page, needed) {
			t.Errorf("docs/softphone.md does not say %s", needed)
		}
	}
}

func guide(t *testing.T, name string) string {
	t.Helper()

	raw, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}

	return string(raw)
}

// The guide for real handsets names no command, flag, setting or file of ours that there is not.
func TestHandsetPage(t *testing.T) {
	page := guide(t, "handset.md")
	commands(t, page, 8)
	links(t, page)

	for _, setting := range []struct{ function, key string }{
		{"hss", "authentication.ind"},
		{"scscf", "registrar.authentication.qop"},
		{"pcscf", "ipsec.algorithms"},
		{"pcscf", "ipsec.announce"},
		{"icscf", "scscfs"},
	} {
		out, err := exec.Command(filepath.Join(binaries, setting.function), "--print-config").Output()
		last := setting.key[strings.LastIndexByte(setting.key, '.')+1:]

		if err != nil || !strings.Contains(page, "`"+setting.key) || !strings.Contains(string(out), last+":") {
			t.Errorf("%s: %s is not in the page, or not a setting (%v)", setting.function, setting.key, err)
		}
	}
}

// commands holds the commands of a page, of which it has so many at least, against the help of the programs.
func commands(t *testing.T, page string, least int) {
	t.Helper()

	help := func(name string, arguments ...string) string {
		t.Helper()

		out, err := exec.Command(filepath.Join(binaries, name), append(arguments, "--help")...).CombinedOutput()
		if err != nil {
			t.Errorf("%s %v: %v\n%s", name, arguments, err, out)
		}

		return string(out)
	}

	flags := regexp.MustCompile(`--[a-z-]+`)
	found := 0

	for _, line := range regexp.MustCompile("(?:`|    )(?:bin/)?(make lab|lab|hss|ocs|pcscf|ue) ([^`\n#]*)").FindAllStringSubmatch(page, -1) {
		name, arguments := line[1], line[2]
		if name == "make lab" {
			name = "lab"
		}

		var verbs []string

		for _, word := range strings.Fields(arguments) {
			if word == strings.ToUpper(word) || strings.ContainsAny(word, "-=:…\"/") {
				break
			}

			verbs = append(verbs, word)
		}

		if len(verbs) > 2 {
			verbs = verbs[:2]
		}

		said := help(name, verbs...)

		if len(verbs) == 2 && strings.Contains(said, "  "+name+" "+verbs[0]+" [IDENTITY]") { // the second is one
			verbs = verbs[:1]
		}

		if len(verbs) > 0 && !strings.Contains(said, "  "+name+" "+strings.Join(verbs, " ")) {
			t.Errorf("%s has no command %v", name, verbs)
		}

		for _, flag := range flags.FindAllString(arguments, -1) {
			if !strings.Contains(said, flag) {
				t.Errorf("%s %v has no %s", name, verbs, flag)
			}
		}

		found++
	}

	if found < least {
		t.Errorf("only %d commands are found in the page", found)
	}
}

// links wants that what a page links to is there.
func links(t *testing.T, page string) {
	t.Helper()

	for _, link := range regexp.MustCompile(`\]\(([a-z0-9]+\.md)?(?:#([a-z0-9-]+))?\)`).FindAllStringSubmatch(page, -1) {
		linked := page

		if link[1] != "" {
			raw, err := os.ReadFile("../../docs/" + link[1])
			if err != nil {
				t.Error(err)
				continue
			}

			linked = string(raw)
		}

		if link[2] != "" && !slices.Contains(anchors(linked), link[2]) {
			t.Errorf("%s has no section %s", link[1], link[2])
		}
	}
}

// anchors are the names by which links lead to the sections of a page.
func anchors(page string) (names []string) {
	for _, title := range regexp.MustCompile(`(?m)^##+ (.*)$`).FindAllStringSubmatch(page, -1) {
		name := strings.ReplaceAll(strings.ToLower(title[1]), " ", "-")
		names = append(names, regexp.MustCompile(`[^a-z0-9-]`).ReplaceAllString(name, ""))
	}

	return names
}
