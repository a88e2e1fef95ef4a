package attempt

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
)

// patience is how long to wait for a handset's answer to a challenge, which takes a second in a cell. After it the likely cause is named.
const patience = 8 * time.Second

// late is when an answer comes after every CSCF has stopped waiting: their diameter.request_timeout.
const late = 5 * time.Second

const keys = "K or OPc here are not the SIM's (OP entered as OPc, or the reverse), or AMF or the algorithm is another than the SIM's"

const password = "the password here is not the phone's, or its authentication user name is another"

// User is what is known of the user: that it has a password in place of a SIM; and its actual private identity, if the one it states has no
// domain or a wrong one.
type User struct {
	Password bool
	Meant    string
}

// wrong returns the likely cause of a wrong answer.
func (u User) wrong() string {
	if u.Password {
		return password
	}

	return keys
}

// silent returns the likely cause of an unanswered challenge.
func (u User) silent() string {
	if u.Password {
		return "the phone has no password, or the 401 did not reach it"
	}

	return keys + "; or with IPsec its answer does not come through ESP (pcscf get /associations); " +
		"or the 401 did not reach it (docs/handset.md)"
}

// Says returns how far a handset has come, and what to check, in each network that it has tried.
func (a Attempt) Says(now time.Time, user User) string {
	var parts []string

	for in, name := range [...]string{ims: "", lte: "LTE: ", wifi: "Wi-Fi: "} {
		there := a
		there.Steps = slices.DeleteFunc(slices.Clone(a.Steps), func(s Step) bool { return s.Kind.way() != way(in) })

		if len(there.Steps) > 0 {
			parts = append(parts, name+there.saysOfOne(now, user))
		}
	}

	return strings.Join(parts, "; ")
}

// saysOfOne is Says of an attempt in one network.
func (a Attempt) saysOfOne(now time.Time, user User) string {
	last := a.Steps[len(a.Steps)-1]

	switch {
	case last.Result == cx.ErrorUserUnknown && user.Meant != "" && strings.Contains(a.PrivateIdentity, "@"):
		return "its domain is wrong: the private identity is " + user.Meant +
			", which, with that domain, is the authentication user name for the phone"
	case last.Result == cx.ErrorUserUnknown && user.Meant != "":
		return "the private identity is " + user.Meant + ": that, with its domain, is the authentication user name for the phone"
	case last.Result == cx.ErrorUserUnknown:
		return last.Reason + ": it has not been added, or its card is of another network than this"
	case !last.Result.Successful():
		return last.Reason
	case last.Took >= late:
		return fmt.Sprintf("this HSS took %d s for its answer, and the node that asked has not waited that long: the HSS's own log and metrics "+
			"tell, and its database's", int(last.Took.Seconds()))
	}

	if last.Kind.way() != ims {
		return a.attached(now.Sub(last.Time), user)
	}

	switch last.Kind {
	case Authorization, Capabilities:
		return a.authorized(user)
	case Leaving:
		return "it is about to leave"
	case Challenge:
		return a.challenged(now.Sub(last.Time), user)
	case Resynchronisation:
		return resynchronised
	case Registration, ReRegistration:
		return "registered"
	case Timeout:
		return "registered until it did not refresh in time"
	case Deregistration:
		return "it has left"
	case Administrative:
		return "the S-CSCF has ended the registration"
	case AuthenticationFailure:
		if user.Password {
			return "its answer to the challenge was wrong: " + password
		}

		return "its answer to the challenge was wrong, or the SIM refused the network: " + keys
	case AuthenticationTimeout:
		return "it never answered the challenge: " + user.silent()
	default:
		return ""
	}
}

// attached describes an attempt by LTE or Wi-Fi whose last step was successful.
func (a Attempt) attached(ago time.Duration, user User) string {
	switch a.Steps[len(a.Steps)-1].Kind {
	case MMEChallenge, AAAChallenge:
		return a.challenged(ago, user)
	case MMEResynchronisation, AAAResynchronisation:
		return resynchronised
	case LocationUpdate:
		return "attached"
	case Purge:
		return "its MME has forgotten it: it was switched off, or away for long"
	case AAARegistration, AAARestoration, AAAGateway:
		return "registered by its AAA server"
	case AAAFailure:
		return "its answer to the challenge was wrong, or the SIM refused the network: " + keys
	case AAAAuthTimeout:
		return "it never answered the challenge: " + noMore
	case AAADeregistration:
		return "it has left"
	case AAATimeout:
		return "its AAA server has had no sign of it in time"
	case AAAAdministrative:
		return "its AAA server has ended the registration"
	default:
		return ""
	}
}

// resynchronised is said after a resynchronisation.
const resynchronised = "the SIM's sequence number was ahead and has been taken over; challenged anew. If that goes on, another HSS " +
	"uses the SIM, too: give it another authentication.ind"

// noMore is the likely cause of a challenge by LTE or Wi-Fi that nothing follows.
const noMore = keys + "; or the MME, or the AAA server, has refused it for a reason of its own, which its log tells"

// authorized describes an attempt whose last step is a UAR. The I-CSCF sends one for each REGISTER, including that with the answer to a
// challenge.
func (a Attempt) authorized(user User) string {
	answering := len(a.Steps) > 1 && slices.Contains([]Kind{Challenge, Resynchronisation}, a.Steps[len(a.Steps)-2].Kind)

	switch {
	case answering:
		return "it has answered the challenge, and the S-CSCF has not said more: a wrong answer (" + user.wrong() + "), which its log tells"
	case a.registered():
		return "registered; refreshed without a challenge, or about to be"
	default:
		return "its REGISTER has come to the I-CSCF, and no S-CSCF has asked for a challenge: the I-CSCF reaches none, or this HSS's answer " +
			"came too late for it (the HSS was frozen, or the way to it broken). The I-CSCF's log tells"
	}
}

// registered reports whether the last remembered SAR that changes the registration made one.
func (a Attempt) registered() bool {
	for _, s := range slices.Backward(a.Steps) {
		switch s.Kind {
		case Registration, ReRegistration:
			if s.Result.Successful() {
				return true
			}
		case Timeout, Deregistration, Administrative, AuthenticationFailure, AuthenticationTimeout:
			return false
		}
	}

	return false
}

// challenged describes an attempt whose last step is a challenge, perhaps one of several without success.
func (a Attempt) challenged(ago time.Duration, user User) string {
	text := fmt.Sprintf("challenged %d s ago, no answer yet", int(ago.Seconds()))

	tries := a.inVain()
	if tries > 1 {
		text += fmt.Sprintf("; %d challenges in a row without a right answer", tries)
	}

	if ago < patience && tries == 1 {
		return text
	}

	if a.Steps[len(a.Steps)-1].Kind.way() != ims {
		return text + ": " + noMore
	}

	return text + ": " + user.silent()
}

// inVain returns the number of challenges since one had success.
func (a Attempt) inVain() (challenges int) {
	for _, s := range slices.Backward(a.Steps) {
		switch s.Kind {
		case Challenge, MMEChallenge, AAAChallenge:
			challenges++
		case Authorization, Capabilities, AuthenticationTimeout:
		default:
			return challenges
		}
	}

	return challenges
}
