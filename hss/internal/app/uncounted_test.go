package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/database"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/test/postgres"
	"github.com/dialtone-ims/dialtone/test/tables"
)

// A database of an HSS that did not count the steps of its schema is migrated as it is: subscribers, keys, services, and registrations. One
// that a newer HSS has used is refused.
func TestUncountedDatabase(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, *Config){
		"file": func(t *testing.T, c *Config) {
			for _, name := range []string{"hss.db", "hss.keys"} {
				copied(t, filepath.Join("testdata/uncounted", name), filepath.Join(c.Data, name))
			}
			c.Database.DSN = filepath.Join(c.Data, "hss.db")
		},
		"server": func(t *testing.T, c *Config) {
			c.Database = Database{DSN: postgres.Database(t), KeyFile: filepath.Join(c.Data, "hss.keys")}
			copied(t, "testdata/uncounted/server.keys", c.Database.KeyFile)
			tables.Fill(t, c.Database.DSN, "testdata/uncounted/hss.sql")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := settings(t)
			prepare(t, c)

			h := start(t, c)
			const private = "001010000000001@" + home
			scscf := connect(t, h, "scscf")
			want(t, "still registered", scscf.lir("tel:+15550001").ServerName, scscfURI)
			want(t, "and its keys are right", scscf.mar(private, "sip:"+private, scscfURI).Result, cx.Success)
			want(t, "a wildcarded identity", scscf.lir("sip:chat-7@"+home).ServerName, scscfURI)

			data := string(scscf.sar(cx.ReRegistration, private, scscfURI, "sip:"+private).UserData)
			for _, part := range []string{"sip:voicemail.as", "sip:shared.as", "<DisplayName>Alice</DisplayName>"} {
				if !strings.Contains(data, part) {
					t.Errorf("no %s in\n%s", part, data)
				}
			}

			var list provisioning.SubscriberList
			h.api("GET", "/subscribers", nil, &list)
			want(t, "subscribers", len(list.Subscribers), 2)
			var keys provisioning.Keys
			h.api("GET", "/subscribers/bob/private-identities/bob@"+home+"/keys", nil, &keys)
			want(t, "password", keys.Password, "secret")
			h.add("001010000000002", "15550002")
			h.stop()

			h = start(t, c)
			h.api("GET", "/subscribers", nil, &list)
			want(t, "after a restart", len(list.Subscribers), 3)
			h.stop()

			d := opened(t, c.Database.DSN)
			if err := d.Write.Exec("INSERT INTO hss_migrations (id) VALUES ('9999 of tomorrow')").Error; err != nil {
				t.Fatal(err)
			}
			d.Close()
			_, err := subscriber.Open(t.Context(), c.store(), slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), "the database is of a newer version of this program: start that version") {
				t.Errorf("a newer database: %v", err)
			}
		})
	}
}

func opened(t *testing.T, dsn string) *database.Database {
	t.Helper()

	d, err := database.Open(database.Config{DSN: dsn, Writers: 2})
	if err != nil {
		t.Fatal(err)
	}

	return d
}

func copied(t *testing.T, from, to string) {
	t.Helper()

	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
