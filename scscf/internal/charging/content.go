package charging

import (
	"errors"
	"mime"
	"net/textproto"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// Ways of charging requests outside sessions.
const (
	NoEvents  = "off"
	Immediate = "iec" // debited before the request goes on (RFC 8506 §6.3), and refunded if it was not answered 2xx (§6.4)
	// Reserved is event charging with unit reservation of TS 32.299: reserved before the request goes on, then debited if it was answered
	// 2xx, else returned.
	Reserved = "ecur"
)

// Content is the body of a request.
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

// media returns the media type of the content proper: the one within the CPIM envelope (RFC 3862) if there is one.
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
