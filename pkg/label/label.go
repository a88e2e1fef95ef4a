// Package label maps what comes from the wire to labels of metrics with few values, whatever a stranger invents.
package label

import "strconv"

// Other is the label of everything unknown.
const Other = "other"

// Method returns the label of a SIP method.
func Method(name string) string {
	switch name {
	case "REGISTER",
		"INVITE",
		"ACK",
		"BYE",
		"CANCEL",
		"OPTIONS",
		"PRACK",
		"UPDATE",
		"MESSAGE",
		"SUBSCRIBE",
		"NOTIFY",
		"PUBLISH",
		"INFO",
		"REFER":
		return name
	default:
		return Other
	}
}

// Status returns the label of a SIP status; one that is not registered counts as its class (RFC 3261 §8.1.3.2).
func Status(code int) string {
	switch code {
	case 100, 180, 181, 182, 183, 199, 200, 202, 204, 300, 301, 302, 305, 380,
		400, 401, 402, 403, 404, 405, 406, 407, 408, 410, 412, 413, 414, 415, 416, 417, 420, 421, 422, 423, 424, 425, 428, 429,
		430, 433, 436, 437, 438, 439, 440, 469, 470, 480, 481, 482, 483, 484, 485, 486, 487, 488, 489, 491, 493, 494,
		500, 501, 502, 503, 504, 505, 513, 555, 580, 600, 603, 604, 606, 607, 608:
		return strconv.Itoa(code)
	}

	if class := code / 100; class >= 1 && class <= 6 {
		return strconv.Itoa(class) + "xx"
	}

	return Other
}

// Result returns the label of a Result-Code or Experimental-Result-Code of Diameter (RFC 6733 §7.1): all assigned ones are within the first
// two hundred of their class.
func Result(code uint32) string {
	switch class, number := code/1000, code%1000; {
	case class < 1 || class > 5:
		return Other
	case number < 200:
		return strconv.FormatUint(uint64(code), 10)
	default:
		return strconv.FormatUint(uint64(class), 10) + "xxx"
	}
}

// Vendor returns the label of the vendor of an Experimental-Result: none, or 3GPP.
func Vendor(id uint32) string {
	const threeGPP = 10415

	if id == 0 || id == threeGPP {
		return strconv.FormatUint(uint64(id), 10)
	}

	return Other
}
