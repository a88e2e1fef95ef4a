package ifc

import (
	"testing"
)

func BenchmarkNoMatch(b *testing.B) {
	c := one(b, `<TriggerPoint><ConditionTypeCNF>1</ConditionTypeCNF><SPT><Group>0</Group><Method>MESSAGE</Method></SPT></TriggerPoint>`)
	var r Request = invite()
	b.ReportAllocs()
	for b.Loop() {
		c.Next(r, -1, true)
	}
}

// BenchmarkProfile evaluates a typical chain of an operator: MMTel by header, SMS by method, presence, a bridge by SDP.
func BenchmarkProfile(b *testing.B) {
	s, err := Parse([]byte(complete))
	if err != nil {
		b.Fatal(err)
	}
	c, err := Compile(s.ServiceProfiles[0], map[int][]InitialFilterCriterion{3: nil, 4: nil})
	if err != nil {
		b.Fatal(err)
	}
	var r Request = invite()
	b.ReportAllocs()
	for b.Loop() {
		for after := -1; ; {
			m, found := c.Next(r, after, true)
			if !found {
				break
			}
			after = m.Index
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse([]byte(complete)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	s, err := Parse([]byte(complete))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(s.ServiceProfiles[0], map[int][]InitialFilterCriterion{3: nil, 4: nil}); err != nil {
			b.Fatal(err)
		}
	}
}
