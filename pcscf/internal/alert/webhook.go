package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// webhook posts calls as JSON.
type webhook struct {
	url    string
	client *http.Client
}

func newWebhook(to string) *webhook {
	return &webhook{url: to, client: &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: workers, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (w *webhook) patience() time.Duration { return 5 * time.Second }

func (w *webhook) deliver(ctx context.Context, c Call) error {
	body, err := json.Marshal(c)
	if err != nil {
		return hopeless{err}
	}

	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return hopeless{err}
	}

	r.Header.Set("Content-Type", "application/json")

	response, err := w.client.Do(r)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // without the URL: it often has a secret, and errors are logged
	}

	if err != nil {
		return err
	}
	defer response.Body.Close()

	const most = 1 << 16

	_, _ = io.CopyN(io.Discard, response.Body, most) // so that the connection is used again

	err = fmt.Errorf("the webhook answers %s", response.Status)

	switch {
	case response.StatusCode/100 == 2:
		return nil
	case response.StatusCode >= 500, response.StatusCode == http.StatusRequestTimeout, response.StatusCode == http.StatusTooManyRequests:
		return err
	default:
		return hopeless{err}
	}
}

func validWebhook(text string) error {
	if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("emergency.alert.webhook: %q is no URL, as http://192.0.2.9/alert", text)
	}

	return nil
}
