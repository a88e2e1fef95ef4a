package media

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// rate returns the bit/s that the receiver at this line takes, including RTP, UDP and IP: as it states (b=AS, b=TIAS), or what the codecs
// of the answer can need (TS 29.213 §6.2). from is the other end's line.
func (l *line) rate(answered, from *line) *uint32 {
	six := l.address.Is6() || !l.address.IsValid() && from.address.Is6()

	if as := l.bandwidth["AS"]; as != nil {
		return bits(float64(*as) * 1000)
	}

	if tias := l.bandwidth["TIAS"]; tias != nil {
		return bits(float64(*tias) + l.packets(float64(*tias))*8*overhead(six, false))
	}

	return answered.codecRate(six, l.packetTime())
}

// overhead returns the octets of the headers below a payload: IP and UDP, and RTP where the payload excludes it.
func overhead(six, rtp bool) float64 {
	octets := 28.0
	if six {
		octets = 48
	}

	if rtp {
		octets += 12
	}

	return octets
}

// packets returns the packets per second that the TIAS allows (RFC 3890 §6.3); without a=maxprate, those of speech, or packets of 1200
// octets.
func (l *line) packets(tias float64) float64 {
	if value, found := l.attribute("maxprate"); found {
		if rate, err := strconv.ParseFloat(value, 64); err == nil && rate > 0 && rate <= 10_000 {
			return rate
		}
	}

	if l.kind() == Audio {
		return 1 / l.packetTime().Seconds()
	}

	return math.Ceil(tias / 8 / 1200)
}

// packetTime returns the duration of the speech in one packet, as the receiver wants it.
func (l *line) packetTime() time.Duration {
	value, _ := l.attribute("ptime")

	if ms, err := strconv.ParseFloat(value, 64); err == nil && ms >= 10 && ms <= 200 {
		return time.Duration(ms * float64(time.Millisecond))
	}

	return 20 * time.Millisecond
}

func bits(rate float64) *uint32 {
	if !(rate >= 0) {
		return nil
	}

	return new(uint32(min(math.Ceil(rate), math.MaxUint32)))
}

// codecRate returns the highest rate of the line's codecs; nil where none is known.
func (l *line) codecRate(six bool, packetTime time.Duration) *uint32 {
	if !l.rtp() {
		return nil
	}

	largest := -1.0

	for _, format := range l.formats {
		name, parameters := l.format(format)

		if payload, found := audio[name]; found && l.kind() == Audio {
			octets := payload(parameters, packetTime)
			largest = max(largest, (octets+overhead(six, true))*8/packetTime.Seconds())
		}

		if rate, found := picture[name]; found && l.kind() == Video {
			media := rate(parameters)
			largest = max(largest, media+math.Ceil(media/8/1200)*8*overhead(six, true))
		}
	}

	if largest < 0 && l.kind() == Text { // RFC 4103: thirty characters in a second, with two generations of redundancy
		largest = (30 + overhead(six, true)) * 8 / 0.3
	}

	return bits(largest)
}

// static holds the payload types that need no a=rtpmap (RFC 3551 §6).
var static = map[string]string{
	"0": "PCMU", "3": "GSM", "4": "G723", "8": "PCMA", "9": "G722", "18": "G729", "31": "H261", "34": "H263",
}

// format returns the codec of a payload type, in capitals, with its a=fmtp.
func (l *line) format(number string) (name string, parameters map[string]string) {
	name = static[number]

	for _, a := range l.attributes {
		payload, value, _ := strings.Cut(a.value, " ")
		if payload != number {
			continue
		}

		switch a.name {
		case "rtpmap":
			name, _, _ = strings.Cut(strings.ToUpper(strings.TrimSpace(value)), "/")
		case "fmtp":
			parameters = split(value)
		}
	}

	return name, parameters
}

func split(value string) map[string]string {
	parameters := map[string]string{}

	for part := range strings.SplitSeq(value, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		parameters[strings.ToLower(name)] = strings.TrimSpace(value)
	}

	return parameters
}
