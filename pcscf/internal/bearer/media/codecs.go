package media

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// audio holds for each codec the most octets of payload in one packet.
var audio = map[string]func(parameters map[string]string, packetTime time.Duration) float64{
	"AMR":     func(p map[string]string, d time.Duration) float64 { return adaptive(amr, p, d) },
	"AMR-WB":  func(p map[string]string, d time.Duration) float64 { return adaptive(amrWB, p, d) },
	"EVS":     evs,
	"PCMU":    constant(64_000),
	"PCMA":    constant(64_000),
	"G722":    constant(64_000),
	"G729":    constant(8_000),
	"G723":    constant(6_300),
	"GSM":     constant(13_200),
	"GSM-EFR": constant(12_400),
	"ILBC":    constant(15_200),
	"OPUS":    opus,
}

func constant(rate float64) func(map[string]string, time.Duration) float64 {
	return func(_ map[string]string, packetTime time.Duration) float64 {
		return math.Ceil(rate * packetTime.Seconds() / 8)
	}
}

// amr and amrWB hold the bits of a speech frame in each mode (TS 26.101 table 2, TS 26.201 table 2).
var (
	amr   = []int{95, 103, 118, 134, 148, 159, 204, 244}
	amrWB = []int{132, 177, 253, 285, 317, 365, 397, 461, 477}
)

// adaptive returns the octets of an AMR packet (RFC 4867 §4.3, §4.4) in the largest mode of mode-set.
func adaptive(frames []int, parameters map[string]string, packetTime time.Duration) float64 {
	largest := 0

	for mode := range strings.SplitSeq(parameters["mode-set"], ",") {
		if n, err := strconv.Atoi(strings.TrimSpace(mode)); err == nil && n >= 0 && n < len(frames) {
			largest = max(largest, frames[n])
		}
	}

	if largest == 0 {
		largest = slices.Max(frames)
	}

	count := math.Ceil(packetTime.Seconds() / 0.020)

	if parameters["octet-align"] == "1" {
		return 1 + count*(1+math.Ceil(float64(largest)/8))
	}

	return math.Ceil((4 + count*float64(6+largest)) / 8)
}

// evs returns the octets of an EVS packet (TS 26.445 annex A) at the highest rate of br, or of br-recv; 128 kbit/s where neither is given.
// The header-full format has two octets more.
func evs(parameters map[string]string, packetTime time.Duration) float64 {
	largest := 0.0

	for _, name := range []string{"br", "br-recv"} {
		for rate := range strings.SplitSeq(parameters[name], "-") {
			if n, err := strconv.ParseFloat(rate, 64); err == nil && n >= 2.8 && n <= 128 {
				largest = max(largest, n)
			}
		}
	}

	if largest == 0 {
		largest = 128
	}

	return math.Ceil(largest*1000*packetTime.Seconds()/8) + 2
}

// opus returns the octets of an Opus packet (RFC 7587 §6.1) at maxaveragebitrate, or at the rate that suits stereo music.
func opus(parameters map[string]string, packetTime time.Duration) float64 {
	rate := 64_000.0
	if n, err := strconv.ParseFloat(parameters["maxaveragebitrate"], 64); err == nil && n >= 6_000 && n <= 510_000 {
		rate = n
	}

	return math.Ceil(rate * packetTime.Seconds() / 8)
}

// most is the highest rate requested for a video without a b-line: a codec's level states what can be decoded, not what will be sent.
const most = 2_000_000

// picture holds for each video codec the bit/s at its level.
var picture = map[string]func(parameters map[string]string) float64{
	"H264": h264,
	"H265": h265,

	"H261":      always(128_000),
	"H263":      always(128_000),
	"H263-1998": always(128_000),
	"H263-2000": always(128_000),
	"VP8":       always(most),
	"VP9":       always(most),
	"AV1":       always(most),
}

func always(rate float64) func(map[string]string) float64 {
	return func(map[string]string) float64 { return rate }
}

// h264 returns MaxBR of the level in profile-level-id (H.264 table A-1; RFC 6184 §8.1: level 1 where it is not given).
func h264(parameters map[string]string) float64 {
	profile, err := strconv.ParseUint(parameters["profile-level-id"], 16, 24)
	if err != nil {
		return 64_000
	}

	const constraint3 = 0x1000 // with level 11: 1b

	switch level := profile & 0xFF; {
	case level <= 10 && level != 9:
		return 64_000
	case level == 9 || level == 11 && profile&constraint3 != 0:
		return 128_000
	case level == 11:
		return 192_000
	case level == 12:
		return 384_000
	case level == 13:
		return 768_000
	default:
		return most
	}
}

// h265 returns MaxBR of level-id in the main tier (H.265 table A.8; RFC 7798 §7.1: 93, level 3.1, where it is not given).
func h265(parameters map[string]string) float64 {
	level, err := strconv.ParseUint(parameters["level-id"], 10, 8)

	switch {
	case err == nil && level <= 30:
		return 128_000
	case err == nil && level <= 60:
		return 1_500_000
	default:
		return most
	}
}
