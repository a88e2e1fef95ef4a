package charging

import (
	"errors"
	"mime"
	"net/textproto"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// How requests outside sessions are charged.
const (
	NoEvents  = "off"
	Immediate = "iec" // debited before the request goes on (RFC 8506 §6.3), and refunded when it was not answered 2xx (§6.4)
	// event charging with unit reservation of TS 32.299: reserved before, debited when it was answered 2xx, returned when not
	Reserved = "ecur"
)

// Content is what a request carries.
type Content struct {
	Type string // Content-Type
	Body []byte
}

// ChargesEvent reports whether a request outside a session is charged.
func (t *Trigger) ChargesEvent(role ro.RoleOfNode, method string, content Content) bool {
	return t.chargesOne(role, method, content, t.config.EventMethods)
}

// ChargesWithin reports whether a request within a dialog is charged by itself.
func (t *Trigger) ChargesWithin(role ro.RoleOfNode, method string, content Content) bool {
	return len(content.Body) > 0 && t.chargesOne(role, method, content, t.config.InDialog)
}

func (t *Trigger) chargesOne(role ro.RoleOfNode, method string, content Content, methods []string) bool {
	return t.Charges(role) && t.config.Events != NoEvents && slices.Contains(methods, method) &&
		!slices.Contains(t.config.FreeContent, content.media())
}

// media returns the type of what the content is about: that within the CPIM envelope (RFC 3862) if it has one.
func (c Content) media() string {
	const envelope = "message/cpim"

	media := mediaType(c.Type)
	if media != envelope {
		return media
	}

	_, inner, _ := strings.Cut(strings.ReplaceAll(string(c.Body), "\r\n", "\n"), "\n\n")
	head, _, _ := strings.Cut(inner, "\n\n")

	for line := range strings.Lines(head) {
		if name, value, found := strings.Cut(line, ":"); found && textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)) == "Content-Type" {
			return mediaType(strings.TrimSpace(value))
		}
	}

	return media
}

func mediaType(value string) string {
	media, _, err := mime.ParseMediaType(value)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return ""
	}

	return media
}
