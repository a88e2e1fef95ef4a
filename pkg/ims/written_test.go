package ims

import (
	"slices"
	"strings"
	"testing"
)

// One way of reading an identity, for all commands.
func TestReadWritten(t *testing.T) {
	const domain = "ims.example"

	for text, want := range map[string]string{
		"001010000000003": "001010000000003@ims.example 001010000000003 | " +
			"sip:001010000000003@ims.example tel:+001010000000003 sip:+001010000000003@ims.example | 001010000000003 | 001010000000003",
		"imsi:001010000000003":          "001010000000003@ims.example 001010000000003 | sip:001010000000003@ims.example | 001010000000003 | ",
		"001010000000003@other.example": "001010000000003@other.example | sip:001010000000003@other.example |  | ",
		"15550003": "15550003@ims.example 15550003 | " +
			"sip:15550003@ims.example tel:+15550003 sip:+15550003@ims.example | 15550003 | 15550003",
		"+1-555-0003":                     " | tel:+15550003 sip:+1-555-0003@ims.example |  | 15550003",
		"tel:+15550003":                   " | tel:+15550003 |  | 15550003",
		"sip:+15550003@x.example;user=ip": " | sip:+15550003@x.example |  | 15550003",
		" dora ":                          "dora@ims.example dora | sip:dora@ims.example |  | ",
		"dora@IMS.example":                "dora@IMS.example | sip:dora@ims.example |  | ",
		"sip:dora@ims.example:5060":       " | sip:dora@ims.example |  | ",
		"":                                " |  |  | ",
		"mailto:dora":                     " |  |  | ",
	} {
		w := ParseWritten(text, domain)

		got := strings.Join([]string{strings.Join(w.Private, " "), strings.Join(w.Public, " "), w.IMSI, w.MSISDN}, " | ")
		if got != want {
			t.Errorf("%q\n%s, want\n%s", text, got, want)
		}
	}
}

func TestMeans(t *testing.T) {
	private, public := "001010000000003@ims.example", []string{"sip:+15550003@ims.example", "tel:+15550003"}

	for _, text := range []string{
		"001010000000003", private, "imsi:001010000000003", "15550003", "+15550003", "tel:+1-555-0003", "sip:+15550003@IMS.example:5060",
	} {
		if !ParseWritten(text, "ims.example").Means(private, public...) {
			t.Errorf("%s is not found", text)
		}
	}

	for _, text := range []string{"001010000000004", "15550004", "dora", "sip:001010000000003@ims.example", ""} {
		if ParseWritten(text, "ims.example").Means(private, public...) {
			t.Errorf("%s is found", text)
		}
	}

	if !ParseWritten("999700000000001", "ims.example").Means("999700000000001@another.example") {
		t.Error("a stranger is not found by its IMSI")
	}
}

func FuzzReadWritten(f *testing.F) {
	for _, text := range []string{"001010000000003", "+1-555", "tel:+1", "sip:a@b", "a@b", "imsi:", "%", "sip:%zz@b"} {
		f.Add(text)
	}

	f.Fuzz(func(t *testing.T, text string) {
		for _, public := range ParseWritten(text, "ims.example").Public {
			if again, err := CanonicalIdentity(public); err != nil || again != public {
				t.Errorf("%q means %q, which is %q, %v", text, public, again, err)
			}
		}

		if w := ParseWritten(text, "ims.example"); slices.Contains(w.Private, "") && text != "" && w.IMSI != "" {
			t.Errorf("%q is nobody", text)
		}
	})
}
