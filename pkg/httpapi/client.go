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

// Client uses the admin HTTP of a running function.
type Client struct {
	Base  string // "http://127.0.0.13:9090"
	Token string
	Next  *string // if not nil, each answer sets it: the path of the list's next page, or ""
}

const maxAnswer = 64 << 20 // octets

// Do sends in as JSON (none if nil) and reads the answer into out (dropped if nil). A problem answer becomes an *Error.
func (c Client) Do(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()

	response, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer response.Body.Close()

	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}

	if out == nil {
		return nil
	}

	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}

	return nil
}

// Copy requests a document and writes it as it comes.
func (c Client) Copy(ctx context.Context, path string, to io.Writer) error {
	response, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()

	if _, err := io.Copy(to, response.Body); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}

	return nil
}

// send sends a request. The caller closes the body of the answer; an answer with an error status is an *Error.
func (c Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader

	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}

		body = bytes.NewReader(encoded)
	}

	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.Base, "/")+path, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}

	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}

	if c.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.Token)
	}

	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w (is the function running, and is this its admin address?)", err)
	}

	if c.Next != nil {
		*c.Next = nextOf(response.Header)
	}

	if response.StatusCode < http.StatusBadRequest {
		return response, nil
	}
	defer response.Body.Close()

	problem := &Error{Status: response.StatusCode, Title: response.Status}

	if answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<16)); err == nil {
		_ = json.Unmarshal(answer, problem) // without a problem document the status is enough
	}

	return nil, problem
}
