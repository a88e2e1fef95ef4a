package ims

import "strings"

const serviceURN = "urn:urn-7:" // RFC 6050 §8.2: the namespace of service identifiers

// Service returns a communication service as P-Preferred-Service and P-Asserted-Service name it (RFC 6050 §4, TS 24.229 §7.2A.8), in the
// one way that it is compared in: "urn:urn-7:3gpp-service.ims.icsi.mmtel". ok is false for what is none.
func Service(value string) (urn string, ok bool) {
	value = strings.ToLower(strings.TrimSpace(value))

	id, found := strings.CutPrefix(value, serviceURN)
	if !found {
		return "", false
	}

	for label := range strings.SplitSeq(id, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_%") != "" {
			return "", false
		}
	}

	return value, true
}

// Includes reports whether a subscribed service covers another one: they are the same, or the other is below it in the hierarchy of
// labels (RFC 6050 §8.2). The subscribed service may be written without its namespace.
func Includes(subscribed, service string) bool {
	whole := strings.ToLower(strings.TrimSpace(subscribed))
	if !strings.HasPrefix(whole, "urn:") {
		whole = serviceURN + whole
	}

	return service == whole || strings.HasPrefix(service, whole+".")
}
