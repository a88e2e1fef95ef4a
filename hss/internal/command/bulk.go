package command

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/pkg/records"
)

// add creates one subscriber and shows it.
func (r *remote) add(c *cobra.Command, body provisioning.NewSubscriber) error {
	var made provisioning.Subscriber
	if err := r.do(c, http.MethodPost, "/subscribers", body, &made); err != nil {
		return err
	}

	for _, warning := range made.Warnings {
		fmt.Fprintln(c.ErrOrStderr(), "warning:", warning)
	}

	return r.show(c, made, func(w io.Writer) { printSubscriber(w, made) })
}

// flat lists the fields of authentication that stand at the top level in CSV, and may in JSON.
var flat = []string{"scheme", "algorithm", "k", "op", "opc", "amf", "sqn", "res", "keccak", "password"}

// others lists the fields that the OCS takes from the same file (ocs account add --file).
var others = []string{"account", "identities", "balance", "tariff"}

// addFile creates the subscribers of a file, or of the standard input for "-", some hundred per transaction.
func (r *remote) addFile(c *cobra.Command, name string, after int, pass bool) error {
	from, err := records.Open(name, c.InOrStdin())
	if err != nil {
		return err
	}
	defer from.Close()

	batch := records.Batch[provisioning.NewSubscriber]{
		What: "subscribers", Notes: c.ErrOrStderr(), Passed: after,
		Add: func(all []provisioning.NewSubscriber) (added records.Added, err error) {
			return added, r.do(c, http.MethodPost, bulk(pass), all, &added)
		},
	}

	var first *provisioning.NewSubscriber // until there is a second one

	firstLine, count := 0, 0

	err = records.Read(from, []string{"res", "keccak"}, func(record records.Record) error {
		body, err := newSubscriber(record)
		if err != nil {
			return err
		}

		if count++; count == 1 && after == 0 && !pass {
			first, firstLine = &body, record.Line
			return nil
		}

		if first != nil {
			if err := batch.Put(firstLine, *first); err != nil {
				return err
			}

			first = nil
		}

		return batch.Put(record.Line, body)
	})

	if first != nil {
		if err != nil {
			return fmt.Errorf("%s: %w; nothing is added", name, err)
		}

		if err := r.add(c, *first); err != nil {
			return fmt.Errorf("%s: line %d: %w; nothing is added", name, firstLine, err)
		}

		return nil
	}

	added, err := batch.End(err)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}

	return r.showAdded(c, records.Added{Added: added, Skipped: batch.Skipped()})
}

// bulk returns the path to add several subscribers, with or without those that are there already.
func bulk(pass bool) string {
	if pass {
		return "/subscribers/bulk?existing=skip"
	}

	return "/subscribers/bulk"
}

// skipFlag adds the flag for subscribers that are there already.
func skipFlag(c *cobra.Command, pass *bool) {
	c.Flags().BoolVar(pass, "skip-existing", false, "pass over a SIM or user that is there already, and leave it as it is")
}

// showAdded prints how many were added.
func (r *remote) showAdded(c *cobra.Command, added records.Added) error {
	return r.show(c, added, func(w io.Writer) {
		fmt.Fprintf(w, "%d subscribers added", added.Added)

		if added.Skipped > 0 {
			fmt.Fprintf(w, ", %d were there already", added.Skipped)
		}

		fmt.Fprintln(w)
	})
}

// newSubscriber parses a record, with the keys below "authentication" or at the top level.
func newSubscriber(record records.Record) (body provisioning.NewSubscriber, err error) {
	keys := map[string]json.RawMessage{}

	for _, field := range flat {
		if value, found := record.Fields[field]; found {
			keys[field] = value
			delete(record.Fields, field)
		}
	}

	if profile, found := record.Fields["profile"]; found { // as the flag is called
		record.Fields["service_profile"] = profile
		delete(record.Fields, "profile")
	}

	if err := record.Into(&body, others...); err != nil {
		return body, err
	}

	if len(keys) == 0 {
		return body, nil
	}

	if body.Authentication != (provisioning.Authentication{}) {
		return body, fmt.Errorf("line %d: keys stand in authentication and beside it", record.Line)
	}

	return body, records.Record{Line: record.Line, Fields: keys}.Into(&body.Authentication)
}
