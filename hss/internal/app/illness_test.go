package app

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// database opens the HSS's database, unknown to the HSS.
func (h *hss) database() *sql.Conn {
	h.Helper()

	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.config.Data, "hss.db")+"?_pragma=busy_timeout(10000)") // the HSS writes, too
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { db.Close() })

	connection, err := db.Conn(context.Background())
	if err != nil {
		h.Fatal(err)
	}

	return connection
}

func execute(t *testing.T, c *sql.Conn, statement string) {
	t.Helper()

	if _, err := c.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// A store that cannot answer is DIAMETER_UNABLE_TO_COMPLY. It never makes a user unknown: the I-CSCF would answer 403 or
// 404 and the handset might not come back for hours.
func TestAnIllStoreIsNotAnUnknownUser(t *testing.T) {
	h := start(t, settings(t))
	first, second := h.add("001010000000001", "15550001"), h.add("001010000000002", "15550002")
	scscf, database := connect(t, h, "scscf"), h.database()

	execute(t, database, "BEGIN EXCLUSIVE")
	want(t, "MAR, locked", scscf.mar(first, "sip:"+first, scscfURI).Result, cx.UnableToComply)
	want(t, "SAR, locked", scscf.sar(cx.AssignRegistration, first, scscfURI, "sip:"+first).Result, cx.UnableToComply)
	execute(t, database, "ROLLBACK")
	want(t, "MAR, unlocked", scscf.mar(first, "sip:"+first, scscfURI).Result, cx.Success)

	execute(t, database, "ALTER TABLE private_identities RENAME TO elsewhere")
	want(t, "UAR, a table is missing", scscf.uar(second, "sip:"+second).Result, cx.UnableToComply)
	want(t, "MAR, a table is missing", scscf.mar(second, "sip:"+second, scscfURI).Result, cx.UnableToComply)
	want(t, "SAR, a table is missing", scscf.sar(cx.AssignRegistration, second, scscfURI, "sip:"+second).Result, cx.UnableToComply)
	want(t, "LIR, a table is missing", scscf.lir("sip:"+second).Result, cx.UnableToComply)
	want(t, "UAR of a user who is remembered", scscf.uar(first, "sip:"+first).Result, cx.SubsequentRegistration)
	want(t, "MAR of a user who is remembered", scscf.mar(first, "sip:"+first, scscfURI).Result, cx.UnableToComply)
	execute(t, database, "ALTER TABLE elsewhere RENAME TO private_identities")

	execute(t, database, "UPDATE private_identities SET sealed_k = x'00'")
	want(t, "MAR, K cannot be opened", scscf.mar(second, "sip:"+second, scscfURI).Result, cx.UnableToComply)
	want(t, "UAR needs no K", scscf.uar(second, "sip:"+second).Result, cx.FirstRegistration)
	if !strings.Contains(h.log.String(), "was not sealed by this program") {
		t.Error("the log does not say why")
	}
}

// An HSS that cannot store anything is not ready: a load balancer sends requests to another one.
func TestNotReadyWhileNothingCanBeWritten(t *testing.T) {
	h := start(t, settings(t))
	database := h.database()
	if err := h.built.Ready(); err != nil {
		t.Fatal(err)
	}

	execute(t, database, "BEGIN IMMEDIATE")
	eventually(t, "not ready while the database is locked", func() bool {
		err := h.built.Ready()
		return err != nil && strings.Contains(err.Error(), "cannot be written")
	})

	execute(t, database, "ROLLBACK")
	eventually(t, "ready again", func() bool { return h.built.Ready() == nil })
}

func TestRegistrationsAndSequenceNumbersSurviveARestart(t *testing.T) {
	c := settings(t)
	h := start(t, c)
	private := h.add("001010000000001", "15550001")
	scscf, sim := connect(t, h, "scscf"), card(t)
	scscf.register(private, "sip:"+private)
	accept(t, sim, scscf.mar(private, "sip:"+private, scscfURI))
	scscf.stop()
	h.stop()

	h = start(t, c)
	scscf = connect(t, h, "scscf")
	want(t, "LIR", scscf.lir("tel:+15550001").ServerName, scscfURI)
	want(t, "UAR", scscf.uar(private, "sip:"+private).Result, cx.SubsequentRegistration)
	accept(t, sim, scscf.mar(private, "sip:"+private, scscfURI))

	var state provisioning.RegistrationState
	h.api("GET", "/subscribers/001010000000001/registration", nil, &state)
	want(t, "Diameter identity of the S-CSCF", state.DiameterHost, "scscf."+home)
}
