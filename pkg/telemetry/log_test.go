package telemetry

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSparing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder

		log := NewLogger(&out, "pcscf", LogConfig{Level: slog.LevelDebug, Format: "text", PerSecond: 3})
		written := func() int { return strings.Count(out.String(), "\n") }

		for i := range 10 {
			log.Warn("refused", "call", i)
			log.With("peer", i).WithGroup("g").Warn("refused", "call", i)
		}

		if written() != 3 || strings.Contains(out.String(), "omitted_before") {
			t.Fatalf("of twenty lines that say the same are written\n%s", out.String())
		}

		log.Warn("accepted")

		if written() != 4 {
			t.Error("a line was omitted that says something else")
		}

		for range 10 {
			log.Debug("refused")
		}

		if written() != 14 {
			t.Error("a debug line was omitted")
		}

		time.Sleep(time.Second)
		out.Reset()
		log.Warn("refused", "call", 10)
		log.Warn("refused", "call", 11)

		if first, second, _ := strings.Cut(out.String(), "\n"); !strings.HasSuffix(first, "function=pcscf call=10 omitted_before=17") ||
			strings.Contains(second, "omitted_before") {
			t.Errorf("a second later is written\n%s", out.String())
		}
	})
}

func TestSparingIsBounded(t *testing.T) {
	s := newSparing(slog.DiscardHandler, 1)

	for i := range 3 * maxMessages {
		s.said.pass(fmt.Sprint(i), time.Now())
	}

	if got := len(s.said.quotas); got > maxMessages {
		t.Errorf("%d messages are remembered", got)
	}
}

func TestNotSparing(t *testing.T) {
	var out strings.Builder

	log := NewLogger(&out, "hss", LogConfig{Format: "json"})
	for range 1000 {
		log.Info("accepted")
	}

	if got := strings.Count(out.String(), `"function":"hss"`); got != 1000 {
		t.Errorf("%d lines of 1000", got)
	}
}

func TestLogConfig(t *testing.T) {
	for _, c := range []LogConfig{{Format: "xml"}, {Format: "text", PerSecond: -1}} {
		if c.Validate() == nil {
			t.Errorf("%+v is valid", c)
		}
	}
}
