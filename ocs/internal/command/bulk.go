package command

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/ocs/internal/api"
	"github.com/dialtone-ims/dialtone/pkg/config"
	"github.com/dialtone-ims/dialtone/pkg/ims"
	"github.com/dialtone-ims/dialtone/pkg/records"
)

// others lists the fields that the HSS takes from the same file (hss subscriber add --file).
var others = []string{
	"name", "imsi", "msisdn", "user", "display_name", "service_profile", "profile", "authentication", "scheme", "algorithm", "k", "op",
	"opc", "amf",
	"sqn", "res", "keccak", "password", "visited_networks", "capabilities", "charging", "private_identities", "registration_sets",
}

// addFile opens the accounts of a file, or of the standard input for "-", some hundred per transaction. Records without a balance or a
// tariff get those of fallback.
func (c *client) addFile(cmd *cobra.Command, name string, after int, pass bool, fallback api.NewAccount) error {
	from, err := records.Open(name, cmd.InOrStdin())
	if err != nil {
		return err
	}
	defer from.Close()

	path := "/accounts/bulk"
	if pass {
		path += "?existing=skip"
	}

	batch := records.Batch[api.NewAccount]{
		What: "accounts", Notes: cmd.ErrOrStderr(), Passed: after,
		Add: func(all []api.NewAccount) (added records.Added, err error) {
			return added, c.Do(cmd.Context(), http.MethodPost, path, all, &added)
		},
	}

	added, err := batch.End(records.Read(from, nil, func(record records.Record) error {
		account, err := newAccount(record, fallback)
		if err != nil {
			return err
		}

		return batch.Put(record.Line, account)
	}))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}

	return showAdded(cmd.OutOrStdout(), c.json, records.Added{Added: added, Skipped: batch.Skipped()})
}

// showAdded prints how many accounts were added, and how many were passed over.
func showAdded(w io.Writer, asJSON bool, added records.Added) error {
	if asJSON {
		return json.NewEncoder(w).Encode(added)
	}

	text := fmt.Sprintf("%d accounts added", added.Added)
	if added.Skipped > 0 {
		text += fmt.Sprintf(", %d were there already", added.Skipped)
	}

	_, err := fmt.Fprintln(w, text)

	return err
}

// newAccount parses a record. Missing fields are derived from the subscriber that the HSS makes of it: the name, and the identities by
// which it is charged.
func newAccount(record records.Record, fallback api.NewAccount) (account api.NewAccount, err error) {
	fields := struct {
		Account    string   `json:"account"`
		Identities []string `json:"identities"`
		Tariff     string   `json:"tariff"`
		Balance    minor    `json:"balance"`
	}{Tariff: fallback.Tariff, Balance: minor(fallback.Balance)}

	if identity := record.String("identities"); identity != "" { // in CSV, a single one
		fields.Identities = []string{identity}
		delete(record.Fields, "identities")
	}

	if err := record.Into(&fields, others...); err != nil {
		return account, err
	}

	account = api.NewAccount{Name: fields.Account, Identities: fields.Identities, Tariff: fields.Tariff, Balance: int64(fields.Balance)}

	imsi, msisdn, user := record.String("imsi"), strings.TrimPrefix(record.String("msisdn"), "+"), record.String("user")
	for _, name := range []string{record.String("name"), imsi, user} {
		if account.Name == "" {
			account.Name = name
		}
	}

	if account.Name == "" {
		return account, fmt.Errorf("line %d: it has no account, name, imsi or user", record.Line)
	}

	if len(account.Identities) > 0 {
		return account, nil
	}

	if msisdn != "" {
		account.Identities = append(account.Identities, "tel:+"+msisdn)
	}

	switch {
	case user != "":
		account.Identities = append(account.Identities, "sip:"+user+"@"+config.Home())
	case imsi != "" && msisdn == "":
		account.Identities = append(account.Identities, "imsi:"+imsi, ims.TemporaryPublicIdentity(imsi, config.Home()))
	}

	return account, nil
}
