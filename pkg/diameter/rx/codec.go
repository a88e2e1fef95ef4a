package rx

import "strings"

// CodecData is one Codec-Data AVP (TS 29.214 §5.3.7): the m-line of a session description, with the lines that belong to it.
type CodecData struct {
	Uplink bool     // the UE has sent the description
	Stage  string   // "offer", "answer" or "description"
	Lines  []string // of the SDP, the m-line first
}

// String returns the value of the AVP.
func (c CodecData) String() string {
	direction := "downlink"
	if c.Uplink {
		direction = "uplink"
	}

	return direction + "\n" + c.Stage + "\n" + strings.Join(c.Lines, "\n") + "\n"
}
