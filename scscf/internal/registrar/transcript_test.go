package registrar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/aka/digest"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/fsm"
	"github.com/dialtone-ims/dialtone/pkg/fsm/transcript"
	"github.com/dialtone-ims/dialtone/pkg/sip"
	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// TestRegistrationTranscript: each row of the registration's table is walked, and a change of any row shows in what the registrar does.
func TestRegistrationTranscript(t *testing.T) {
	transcript.Test(t, "testdata/registration.txt", Machine,
		func(machine *fsm.Machine[State, Event, Action], walk func(func(*transcript.Command) string)) {
			d := &desk{t: t}
			d.prepare = func(r *Registrar) {
				r.machine = machine.Observed(func(row fsm.Row[State, Event, Action], found bool) {
					if found {
						d.state = row.To.String()
					}
				})
			}
			d.play(walk)
		})
}

// TestAuthenticationTranscript: each row of the authentication's table is walked, and a change of any row shows in what the registrar
// does.
func TestAuthenticationTranscript(t *testing.T) {
	type row = fsm.Row[AuthenticationState, AuthenticationEvent, AuthenticationAction]

	transcript.Test(t, "testdata/authentication.txt", AuthenticationMachine,
		func(
			machine *fsm.Machine[AuthenticationState, AuthenticationEvent, AuthenticationAction],
			walk func(func(*transcript.Command) string),
		) {
			d := &desk{t: t}
			d.prepare = func(r *Registrar) {
				r.authenticationMachine = machine.Observed(func(row row, found bool) {
					if found {
						d.state = row.To.String()
					}
				})
			}
			d.play(walk)
		})
}

// desk runs the commands of a transcript with a registrar.
type desk struct {
	t          *testing.T
	prepare    func(*Registrar)
	l          *lab
	stop       func()
	state      string                      // the machine's after its last step
	challenges map[string]digest.Challenge // the last one of each Call-ID
	working    []*transaction
	said       struct{ mar, sar, changes, log int }
}

func (d *desk) play(walk func(func(*transcript.Command) string)) {
	synctest.Test(d.t, func(t *testing.T) {
		d.t = t
		walk(d.do)

		if d.l != nil {
			d.release()
			d.stop()
		}
	})
}

func (d *desk) do(c *transcript.Command) string {
	switch c.Cmd {
	case "situation":
		d.begin(c)
		return ""
	case "hss":
		return d.hss(c)
	case "register":
		d.register(c)
	case "release":
		d.release()
	case "wait":
		period, err := time.ParseDuration(c.CmdArgs[0].Key)
		if err != nil {
			return err.Error()
		}

		time.Sleep(period)
	case "rtr":
		_, err := d.l.r.RegistrationTermination(d.t.Context(), &cx.RTR{
			UserName: private1, Reason: cx.DeregistrationReason{Code: cx.PermanentTermination},
		})
		if err != nil {
			return err.Error()
		}
	case "operator":
		if _, err := d.l.r.Deregister(d.t.Context(), public1, registration.ByOperator); err != nil {
			return err.Error()
		}
	case "unreachable":
		if g, found := d.l.r.Registration(public1); found {
			for _, b := range g.Bindings {
				if b.Contact == "sip:"+c.CmdArgs[0].Key+"@192.0.2.1" {
					d.l.r.FlowFailed(public1, b)
				}
			}
		}
	default:
		return "no such command"
	}

	return d.came()
}

// number returns a number of a transcript; anything else is 0, and then the transcript comes out different.
func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

func (d *desk) begin(c *transcript.Command) {
	policy := DefaultPolicy()

	for _, arg := range c.CmdArgs {
		switch arg.Key {
		case "attempts":
			policy.Authentication.Attempts = number(arg.Vals[0])
		case "resynchronisations":
			policy.Authentication.Resynchronisations = number(arg.Vals[0])
		case "trust":
			policy.Authentication.TrustAlways = arg.Vals
		case "max-contacts":
			policy.AtContactLimit = "refuse"
			policy.MaxContacts = number(arg.Vals[0])
		case "max-challenges":
			policy.MaxChallenges = number(arg.Vals[0])
		}
	}

	d.l, d.stop = newLab(d.t, policy)
	d.challenges = map[string]digest.Challenge{}
	d.prepare(d.l.r)
}

var assignmentTypes = map[string]cx.ServerAssignmentType{
	"REGISTRATION": cx.AssignRegistration, "RE_REGISTRATION": cx.ReRegistration, "USER_DEREGISTRATION": cx.UserDeregistration,
	"TIMEOUT_DEREGISTRATION": cx.TimeoutDeregistration, "ADMINISTRATIVE_DEREGISTRATION": cx.AdministrativeDeregistration,
	"AUTHENTICATION_FAILURE": cx.AuthenticationFailure, "AUTHENTICATION_TIMEOUT": cx.AuthenticationTimeout,
}

// hss sets the HSS's answers from now on: to SARs of a type, to MARs, and the profile.
func (d *desk) hss(c *transcript.Command) string {
	d.l.mu.Lock()
	defer d.l.mu.Unlock()

	for _, arg := range c.CmdArgs {
		switch arg.Key {
		case "hold":
			d.l.hold[assignmentTypes[arg.Vals[0]]] = make(chan struct{})
		case "obey":
			clear(d.l.result)
		case "refuse":
			d.l.result[assignmentTypes[arg.Vals[0]]] = diameter.UnableToComply
		case "profile":
			d.l.userData = document(private1, profileOfTest("", "sip:"+arg.Vals[0]+"@ims.example"))
		case "vectors":
			d.l.maa = func(a *cx.MAA) { a.AuthDataItems = nil }
		default:
			return "no such thing of the HSS"
		}
	}

	return ""
}

// register sends a REGISTER and, unless it is held at the HSS, takes the answer.
func (d *desk) register(c *transcript.Command) {
	who, call, to := "alice", "1", ""
	headers := []string{}
	credentials := digest.Credentials{Realm: homeDomain, URI: "sip:ims.example"}
	answer := ""

	for _, arg := range c.CmdArgs {
		value := strings.Join(arg.Vals, ", ")

		switch arg.Key {
		case "who":
			who = value
		case "to":
			to = value
		case "call":
			call = value
		case "contact":
			contacts := []string{}
			for _, user := range arg.Vals {
				contacts = append(contacts, "<sip:"+user+"@192.0.2.1>")
			}

			headers = append(headers, "Contact: "+strings.Join(contacts, ", "))
		case "expires":
			headers = append(headers, "Expires: "+value)
		case "integrity":
			credentials.IntegrityProtected = value
		case "answer":
			answer = value
		}
	}

	credentials.Username = who + "@ims.example"

	if answer != "" {
		password := xres
		if answer == "wrong" {
			password = []byte("wrong")
		}

		answered, err := digest.Answer(d.challenges[call], credentials.Username, password, "REGISTER", credentials.URI, nil, 1, "c")
		if err != nil {
			d.l.log.Logger().Error("the challenge cannot be answered", "error", err)
			return
		}

		answered.IntegrityProtected = credentials.IntegrityProtected
		credentials = answered

		switch answer {
		case "empty":
			credentials.Response = ""
		case "auts":
			credentials.AUTS = digest.EncodeAUTS([14]byte{7})
		}
	}

	d.l.cseq++
	headers = append(headers, "Authorization: "+credentials.String())
	x := &transaction{request: parse(d.t, registerText("sip:"+firstOf(to, who)+"@ims.example", call, d.l.cseq, headers...))}
	d.working = append(d.working, x)

	go func() {
		defer func() {
			if fault := recover(); fault != nil { // a changed table makes the registrar do what it is not made for
				d.l.log.Logger().Error("no row for this", "fault", fault)
			}
		}()

		d.l.r.HandleRegister(d.t.Context(), x)
	}()
}

// release makes the HSS answer the requests that it holds.
func (d *desk) release() {
	d.l.mu.Lock()
	defer d.l.mu.Unlock()

	for kind, hold := range d.l.hold {
		close(hold)
		delete(d.l.hold, kind)
	}
}

// came returns what the registrar has done since the last command, and the state.
func (d *desk) came() string {
	synctest.Wait()
	d.l.mu.Lock()
	defer d.l.mu.Unlock()

	var lines []string

	for _, q := range d.l.mar[d.said.mar:] {
		line := "MAR"
		if q.AuthDataItem.Authorization != nil {
			line += " with AUTS"
		}

		lines = append(lines, line)
	}

	for _, q := range d.l.sar[d.said.sar:] {
		for name, kind := range assignmentTypes {
			if kind == q.Type {
				lines = append(lines, "SAR "+name+" "+q.UserName)
			}
		}
	}

	slices.Sort(lines) // two jobs may be at the HSS at the same time

	for _, change := range d.l.changes[d.said.changes:] {
		for _, contact := range change.Contacts {
			lines = append(lines, fmt.Sprintf("notified: %s %s, %s", contact.Binding.Contact, contact.Event, registeredOr(&change)))
		}
	}

	d.said.mar, d.said.sar, d.said.changes = len(d.l.mar), len(d.l.sar), len(d.l.changes)

	d.working = slices.DeleteFunc(d.working, func(x *transaction) bool {
		x.mu.Lock()
		defer x.mu.Unlock()

		if x.answer == nil {
			return false
		}

		lines = append(lines, d.answer(x))

		return true
	})

	log := strings.Split(d.l.log.String(), "\n")
	for _, line := range log[d.said.log : len(log)-1] {
		if strings.Contains(line, "not answered") || strings.Contains(line, "could not be sent") || strings.Contains(line, "no row") {
			lines = append(lines, "logged: "+line[strings.Index(line, "msg="):])
		}
	}

	d.said.log = len(log) - 1

	if n := d.l.r.schedule.Len(); n > 0 {
		lines = append(lines, fmt.Sprintf("timers: %d", n))
	}

	if d.state != "" {
		lines = append(lines, "state: "+d.state)
	}

	return strings.Join(lines, "\n")
}

func registeredOr(c *registration.Change) string {
	if c.Registered() {
		return "the set is registered"
	}

	return "the set is not registered"
}

// answer returns the status of a response, with the number of its contacts or its reason.
func (d *desk) answer(x *transaction) string {
	line := fmt.Sprint(x.answer.StatusCode)

	if value := sip.Value(x.answer, "WWW-Authenticate"); value != "" {
		if ch, err := digest.ParseChallenge(value); err == nil {
			d.challenges[x.answer.CallID().Value()] = ch
		}
	}

	if x.answer.StatusCode == 200 {
		line += fmt.Sprintf(", contacts: %d", len(sip.Values(x.answer, "Contact")))
	}

	if text := sip.Value(x.answer, "Reason"); text != "" {
		line += ", " + text
	}

	return line
}
