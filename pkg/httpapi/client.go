package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Client talks to the admin HTTP of a running function.
type Client struct {
	Base  string // "http://127.0.0.13:9090"
	Token string
}

const maxAnswer = 64 << 20 // octets

// Do sends in as JSON (none if nil) and reads the answer into out (dropped if nil). A problem answer becomes an *Error.
func (c Client) Do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader

	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}

		body = bytes.NewReader(encoded)
	}

	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()

	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.Base, "/")+path, body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}

	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}

	if c.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.Token)
	}

	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("%w (is the function running, and is this its admin address?)", err)
	}
	defer response.Body.Close()

	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}

	if response.StatusCode >= http.StatusBadRequest {
		problem := &Error{Status: response.StatusCode, Title: response.Status}
		_ = json.Unmarshal(answer, problem) // without a problem document the status says it all

		return problem
	}

	if out == nil {
		return nil
	}

	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}

	return nil
}
