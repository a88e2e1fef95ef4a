package subscriber

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dialtone-ims/dialtone/test/postgres"
	"github.com/dialtone-ims/dialtone/test/scratch"
)

var (
	secretK        = []byte("the-secret-K-16!")
	secretOP       = []byte("operator-var-OP!")
	secretOPc      = []byte("derived-OPc-16-!")
	secretPassword = []byte("correct horse battery staple")
)

func configuration(t *testing.T) Config {
	t.Helper()

	folder := scratch.Dir(t)

	return Config{DSN: filepath.Join(folder, "hss.db"), KeyFile: filepath.Join(folder, "keys"), IND: 5}
}

func TestMain(m *testing.M) {
	status := m.Run()
	postgres.Stop()
	os.Exit(status)
}

// eachDatabase runs a test on SQLite and on PostgreSQL.
func eachDatabase(t *testing.T, f func(*testing.T, Config)) {
	t.Run("sqlite", func(t *testing.T) { f(t, configuration(t)) })
	t.Run("postgres", func(t *testing.T) {
		c := configuration(t)
		c.DSN = postgres.Database(t)
		f(t, c)
	})
}

func open(t *testing.T, c Config) *Store {
	t.Helper()

	s, err := Open(t.Context(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}

	return s
}

func opened(t *testing.T, c Config) *Store {
	t.Helper()

	s := open(t, c)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})

	return s
}

func alice(s *Store) *Subscription {
	private := &PrivateIdentity{
		Identity: "001@home", IMSI: "001010000000001", MSISDN: "15550001", Scheme: AKA,
		Algorithm: Milenage, Operator: EnteredOP, AMF: "8000", VisitedNetworks: []string{"home", "*.roam"},
	}
	s.setSecrets(private, Secrets{K: secretK, OP: secretOP, OPc: secretOPc, Password: secretPassword})

	set := &RegistrationSet{Number: 1, Registrations: []*Registration{{Private: private}}, Public: []*PublicIdentity{
		{Identity: "sip:001@home", Kind: User, Barred: true, MayRegister: true},
		{Identity: "sip:+15550001@home", Kind: User, MayRegister: true, DisplayName: "Alice"},
		{Identity: "tel:+15550001", Kind: User, MayRegister: true},
	}}

	return &Subscription{
		Name: "alice", Private: []*PrivateIdentity{private}, Sets: []*RegistrationSet{set},
		Capabilities: Capabilities{Mandatory: []uint32{1, 2}, Optional: []uint32{3}},
		Charging:     ChargingInformation{PrimaryEventChargingFunction: "aaa://ocs.home"},
	}
}

func save(t *testing.T, s *Store, subscription *Subscription) {
	t.Helper()

	if err := s.Update(t.Context(), func(tx *Tx) error { return tx.Save(subscription) }); err != nil {
		t.Fatal(err)
	}
}

func lookup(t *testing.T, s *Store, private, public string) Identities {
	t.Helper()

	var who Identities
	err := s.View(t.Context(), func(tx *Tx) (err error) {
		who, err = tx.Identities(private, public)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	return who
}

var ignore = cmp.Options{
	cmpopts.IgnoreUnexported(Subscription{}, RegistrationSet{}, Registration{}),
	cmpopts.IgnoreFields(Registration{}, "Private"), cmpopts.EquateEmpty(),
}

func TestWhatIsSavedIsFoundAgainAfterARestart(t *testing.T) {
	eachDatabase(t, whatIsSavedIsFoundAgainAfterARestart)
}

func whatIsSavedIsFoundAgainAfterARestart(t *testing.T, c Config) {
	s := open(t, c)
	want := alice(s)
	save(t, s, want)

	who := lookup(t, s, "001@home", "tel:+15550001")
	who.Set.Register(who.Private)
	who.Subscription.Assign("sip:s.home", "s.home")
	if err := s.Update(t.Context(), func(tx *Tx) error { return tx.SaveRegistration(who.Subscription) }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, c)
	defer s.Close()
	again := lookup(t, s, "001@home", "sip:001@home")

	want.Sets[0].Registrations[0] = who.Set.Registrations[0]
	want.ServerName, want.ServerHost = "sip:s.home", "s.home"
	if diff := cmp.Diff(want, again.Subscription, ignore); diff != "" {
		t.Error(diff)
	}
	if !again.Match() || again.Set.State() != Registered || again.Set.Barred() {
		t.Errorf("match %v, %v, barred %v", again.Match(), again.Set.State(), again.Set.Barred())
	}

	secrets, err := s.secrets(again.Private)
	if err != nil || !bytes.Equal(secrets.K, secretK) || !bytes.Equal(secrets.OP, secretOP) || !bytes.Equal(secrets.OPc, secretOPc) {
		t.Errorf("%q, %v", secrets, err)
	}
}

func TestLookups(t *testing.T) { eachDatabase(t, lookups) }

func lookups(t *testing.T, c Config) {
	s := opened(t, c)
	save(t, s, alice(s))

	bob := &PrivateIdentity{Identity: "002@home", Scheme: SIPDigest}
	save(t, s, &Subscription{Name: "bob", Private: []*PrivateIdentity{bob}, Sets: []*RegistrationSet{
		{Number: 1, Registrations: []*Registration{{Private: bob}}, Public: []*PublicIdentity{
			{Identity: "sip:chat-!.*!@home", Kind: Service, Wildcard: true}, {Identity: "sip:chat-room@home", Kind: Service},
		}},
		{Number: 2, Public: []*PublicIdentity{{Identity: "sip:other@home", Kind: User}}},
	}})

	tests := []struct {
		name, private, public string
		wantPrivate           string
		wantPublic            string
		match                 bool
	}{
		{name: "both known", private: "001@home", public: "tel:+15550001", wantPrivate: "001@home", wantPublic: "tel:+15550001", match: true},
		{name: "private unknown", private: "009@home", public: "tel:+15550001", wantPublic: "tel:+15550001"},
		{name: "public unknown", private: "001@home", public: "tel:+9", wantPrivate: "001@home"},
		{name: "none given"},
		{name: "of different subscriptions", private: "002@home", public: "tel:+15550001", wantPrivate: "002@home", wantPublic: "tel:+15550001"},
		{
			name:        "in a set that the private identity may not use",
			private:     "002@home",
			public:      "sip:other@home",
			wantPrivate: "002@home",
			wantPublic:  "sip:other@home",
		},
		{
			name:        "a wildcard matches",
			private:     "002@home",
			public:      "sip:chat-17@home",
			wantPrivate: "002@home",
			wantPublic:  "sip:chat-!.*!@home",
			match:       true,
		},
		{
			name:        "a distinct identity before the wildcard",
			private:     "002@home",
			public:      "sip:chat-room@home",
			wantPrivate: "002@home",
			wantPublic:  "sip:chat-room@home",
			match:       true,
		},
		{name: "a wildcard matches the whole identity only", public: "sip:chat-17@home.example.org"},
		{name: "quotes are only text", private: "' OR ''='", public: "' OR ''='"},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			who := lookup(t, s, test.private, test.public)

			private, public := "", ""
			if who.Private != nil {
				private = who.Private.Identity
			}
			if who.Public != nil {
				public = who.Public.Identity
			}
			if private != test.wantPrivate || public != test.wantPublic || who.Match() != test.match {
				t.Errorf("got %q %q %v, want %q %q %v", private, public, who.Match(), test.wantPrivate, test.wantPublic, test.match)
			}
		})
	}
}

func TestWrittenNames(t *testing.T) { eachDatabase(t, writtenNames) }

// A user's name may equal another one's number: neither is taken for the other.
func writtenNames(t *testing.T, c Config) {
	s := opened(t, c)
	save(t, s, alice(s)) // the user 001, tel:+15550001

	bob := &PrivateIdentity{Identity: "15550001@home", IMSI: "001010000000002", MSISDN: "15550002", Scheme: SIPDigest}
	save(t, s, &Subscription{Name: "bob", Private: []*PrivateIdentity{bob}, Sets: []*RegistrationSet{{
		Number: 1, Registrations: []*Registration{{Private: bob}},
		Public: []*PublicIdentity{{Identity: "sip:bob@home", Kind: User}, {Identity: "sip:15550001@home", Kind: User}},
	}}})

	for text, want := range map[string]string{
		"bob": "bob", "001010000000002": "bob", "imsi:001010000000002": "bob", "15550002": "bob", "+15550002": "bob",
		"sip:bob@home": "bob", "15550001@home": "bob", "001": "alice", "+1-555-0001": "alice", "tel:+15550001": "alice",
		"15550001": "15550001 is an identity of alice and of bob: name the subscriber",
		"dora":     "no subscriber has the name, IMSI, MSISDN, user or identity dora: not found",
		"":         "no subscriber has the name, IMSI, MSISDN, user or identity : not found",
	} {
		err := s.View(t.Context(), func(tx *Tx) error {
			found, err := tx.Written(text, "home")
			if err == nil && found.Name != want {
				t.Errorf("%q is %s, want %s", text, found.Name, want)
			}

			return err
		})
		if err != nil && err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestSecretsAreNotInTheFiles(t *testing.T) {
	c := configuration(t)
	s := open(t, c)
	save(t, s, alice(s))

	check := func(when string) {
		files, err := filepath.Glob(c.DSN + "*")
		if err != nil || len(files) == 0 {
			t.Fatalf("%v: %v", files, err)
		}

		seen := 0
		for _, name := range files {
			content, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			seen += bytes.Count(content, []byte("001010000000001"))

			for _, secret := range [][]byte{secretK, secretOP, secretOPc, secretPassword} {
				if bytes.Contains(content, secret) {
					t.Errorf("%s: %q can be read in %s", when, secret, filepath.Base(name))
				}
			}
		}
		if seen == 0 {
			t.Errorf("%s: the IMSI is in none of %v: this test looks at the wrong bytes", when, files)
		}
	}

	check("open")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check("closed")

	if info, err := os.Stat(c.DSN); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the database %v, %v", info.Mode(), err)
	}
}

func TestTheKeyFileMustBeTheDatabasesOwn(t *testing.T) {
	c := configuration(t)
	s := open(t, c)
	save(t, s, alice(s))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	if err := os.Rename(c.KeyFile, c.KeyFile+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "restore it") {
		t.Errorf("without the key file: %v", err)
	}

	fresh := configuration(t)
	open(t, fresh).Close()
	c.KeyFile = fresh.KeyFile
	if _, err := Open(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "not this database's") {
		t.Errorf("with another key file: %v", err)
	}
}

func TestAnIllDatabaseIsNotAnUnknownUser(t *testing.T) {
	c := configuration(t)
	s := open(t, c)
	save(t, s, alice(s))

	other, err := sql.Open("sqlite", "file:"+c.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()

	connection, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connection.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 2*lockWait)
	defer cancel()
	if err := s.Update(ctx, func(*Tx) error { return nil }); err == nil || errors.Is(err, ErrNotFound) || ctx.Err() != nil {
		t.Errorf("locked: %v, context %v", err, ctx.Err())
	}

	if _, err := connection.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if _, err := connection.ExecContext(t.Context(), "DROP TABLE public_identities"); err != nil {
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(tx *Tx) error {
		who, err := tx.Identities("001@home", "sip:001@home")
		if who.Private != nil {
			t.Error("half an answer")
		}
		return err
	})
	if err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("without a table: %v", err)
	}

	_ = s.disconnect()
	if err := s.View(t.Context(), func(*Tx) error { return nil }); err == nil {
		t.Error("a closed database answered")
	}
}

func TestIdentitiesAreTakenOnce(t *testing.T) { eachDatabase(t, identitiesAreTakenOnce) }

func identitiesAreTakenOnce(t *testing.T, c Config) {
	s := opened(t, c)
	save(t, s, alice(s))

	second := alice(s)
	second.Name = "carol"
	err := s.Update(t.Context(), func(tx *Tx) error { return tx.Save(second) })
	for _, want := range []string{"001@home", "001010000000001", "tel:+15550001"} {
		if !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s named", err, want)
		}
	}

	if who := lookup(t, s, "001@home", "sip:001@home"); who.Subscription.Name != "alice" {
		t.Errorf("it now belongs to %s", who.Subscription.Name)
	}
}

func TestDeleteLeavesNothing(t *testing.T) { eachDatabase(t, deleteLeavesNothing) }

func deleteLeavesNothing(t *testing.T, c Config) {
	s := opened(t, c)
	save(t, s, alice(s))

	err := s.Update(t.Context(), func(tx *Tx) error {
		subscription, err := tx.Named("alice")
		if err != nil {
			return err
		}
		return tx.Delete(subscription)
	})
	if err != nil {
		t.Fatal(err)
	}

	for _, table := range []string{"subscriptions", "private_identities", "public_identities", "registration_sets", "registrations"} {
		var rows int64
		if err := s.db.Read.Table(table).Count(&rows).Error; err != nil || rows != 0 {
			t.Errorf("%s: %d rows, %v", table, rows, err)
		}
	}
}

func TestRegistrationState(t *testing.T) {
	a, b := &PrivateIdentity{ID: 1}, &PrivateIdentity{ID: 2}
	set := &RegistrationSet{Registrations: []*Registration{{Private: a}, {Private: b}}}
	s := &Subscription{Private: []*PrivateIdentity{a, b}, Sets: []*RegistrationSet{set}}

	steps := []struct {
		name string
		do   func()
		want State
	}{
		{"new", func() {}, NotRegistered},
		{"authentication pending is not registered", func() { set.AuthenticationBegun(a) }, NotRegistered},
		{"kept for a user who is not registered", func() { set.MarkUnregistered() }, Unregistered},
		{"registered by one", func() { set.Register(a); s.Assign("sip:s", "s") }, Registered},
		{"registered by both", func() { set.Register(b) }, Registered},
		{"one left", func() { set.Deregister(a); s.Release() }, Registered},
		{"none left", func() { set.Deregister(b) }, NotRegistered},
	}
	for _, step := range steps {
		step.do()
		if got := set.State(); got != step.want {
			t.Errorf("%s: %v, want %v", step.name, got, step.want)
		}
		if step.name == "one left" && s.ServerName == "" {
			t.Error("the S-CSCF was forgotten while one is registered")
		}
	}

	set.AuthenticationBegun(b)
	s.Release()
	if s.ServerName == "" {
		t.Error("the S-CSCF was forgotten while an authentication is pending")
	}
	set.AuthenticationOver(b)
	s.Release()
	if s.ServerName != "" {
		t.Error("the S-CSCF was kept for nobody")
	}
}

func TestMayRoam(t *testing.T) {
	p := &PrivateIdentity{VisitedNetworks: []string{"Home.org", "*.partner.org"}}
	for visited, want := range map[string]bool{"home.org": true, "x.partner.org": true, "partner.org": false, "evil-partner.org": false} {
		if p.MayRoam(visited) != want {
			t.Errorf("%s: %v", visited, !want)
		}
	}
	if !(&PrivateIdentity{}).MayRoam("anywhere") {
		t.Error("no list means everywhere")
	}
}
