// Package scenario is the description of an experiment: subscribers, what they do, the OCS that they are charged by, the network between
// them, and the parameters that are swept over.
package scenario

import (
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/credit"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/traffic"
	"github.com/dialtone-ims/dialtone/ocs/internal/reauth"
)

// Scenario is one experiment.
type Scenario struct {
	Name        string            `yaml:"name"`
	Question    string            `yaml:"question"`    // that it answers; the report begins with it
	Time        string            `yaml:"time"`        // virtual or real
	Start       time.Time         `yaml:"start"`       // of virtual time
	Duration    time.Duration     `yaml:"duration"`    //
	WarmUp      time.Duration     `yaml:"warm_up"`     // sessions that begin before do not count, nor what is reserved
	Seed        uint64            `yaml:"seed"`        //
	Repetitions int               `yaml:"repetitions"` // of each point, with different traffic
	Tariffs     map[string]any    `yaml:"tariffs"`     // as `ocs tariff set` takes them
	OCS         OCS               `yaml:"ocs"`         //
	Client      Client            `yaml:"client"`      // the network function
	Network     Network           `yaml:"network"`     // between the two
	Outages     []Outage          `yaml:"outages"`     //
	Population  []Group           `yaml:"population"`  //
	Sweep       Parameters        `yaml:"sweep"`       // parameters with the values that they take, one after the other
	Short       Parameters        `yaml:"short"`       // parameters of the short form (--short)
	Plots       []string          `yaml:"plots"`       // of the report, in its order; without it all that have something to show
	Labels      map[string]string `yaml:"labels"`      // of parameters, in plots
	Sessions    []string          `yaml:"sessions"`    // forms in which each session is written down: csv, json

	folder string // of the file
}

// OCS is who charges.
type OCS struct {
	Run     string        `yaml:"run"`     // inside, a process of its own (process), or none: it is there already, at address
	Address string        `yaml:"address"` // of the Ro of an OCS that is there already
	Host    string        `yaml:"host"`    // its Diameter identity
	API     string        `yaml:"api"`     // http://… of its API, where accounts and tariffs are made; without it they have to be there
	Token   string        `yaml:"token"`   // of the API
	Tick    time.Duration `yaml:"tick"`    // at most so often the OCS looks for silent sessions in virtual time
	Credit  credit.Config `yaml:"credit"`  // settings of an OCS that is started
	ReAuth  reauth.Config `yaml:"reauth"`  //
}

// Client is the behaviour of the network function (RFC 8506 §7).
type Client struct {
	Host           string        `yaml:"host"`          // its Diameter identity
	Request        time.Duration `yaml:"request"`       // time asked for; 0 leaves it to the OCS
	RequestOctets  uint64        `yaml:"request_bytes"` // volume asked for
	Margin         time.Duration `yaml:"margin"`        // before the end of a quota more is asked for, if the OCS names no threshold
	MarginOctets   uint64        `yaml:"margin_bytes"`  //
	Tx             time.Duration `yaml:"tx"`            // how long an answer is waited for
	Failure        string        `yaml:"failure"`       // without one: terminate, retry (and terminate) or continue
	Attempts       int           `yaml:"attempts"`      // of a request, with retry and continue
	ReportAttempts int           `yaml:"report_attempts"`
}

// Network is what happens to messages.
type Network struct {
	Loss        float64              `yaml:"loss"`        // share of messages lost, of either direction
	Duplication float64              `yaml:"duplication"` // share of requests that come twice
	Delay       traffic.Distribution `yaml:"delay"`       // of each message, seconds
}

// Outage is a time without the OCS.
type Outage struct {
	At   time.Duration `yaml:"at"`   // since the beginning
	For  time.Duration `yaml:"for"`  //
	Kind string        `yaml:"kind"` // silence: messages are lost; kill: the OCS is killed, and starts anew on the same ledger
}

// Group is a part of the population, all of whose members behave alike.
type Group struct {
	Name     string    `yaml:"name"`
	Count    int       `yaml:"count"`   // subscribers
	Members  int       `yaml:"members"` // subscribers that share one account
	Balance  int64     `yaml:"balance"` // of an account, minor units
	Tariff   string    `yaml:"tariff"`  // empty: the OCS's own
	TopUp    TopUp     `yaml:"top_up"`  //
	Services []Service `yaml:"services"`
}

// TopUp is when and how an account is topped up.
type TopUp struct {
	Amount int64                `yaml:"amount"`
	Every  time.Duration        `yaml:"every"` // regularly
	After  traffic.Distribution `yaml:"after"` // so long after the subscriber was refused or cut off for want of credit
}

// Service is something that subscribers do.
type Service struct {
	Kind        string               `yaml:"kind"` // call, data or message
	Arrivals    traffic.Arrivals     `yaml:"arrivals"`
	Holding     traffic.Distribution `yaml:"holding"`      // seconds of a call from its answer, or of a data session
	Volume      traffic.Distribution `yaml:"volume"`       // octets of a data session, which flow evenly
	Ringing     traffic.Distribution `yaml:"ringing"`      // seconds of a call before its answer
	Answered    *float64             `yaml:"answered"`     // share of calls that are; the others end without an answer
	Vanish      float64              `yaml:"vanish"`       // share of sessions whose network function is gone before they end
	Numbers     []Number             `yaml:"numbers"`      // that are called
	RatingGroup uint32               `yaml:"rating_group"` // 0: 100 of calls, 200 of data
}

// Number is one that is called, or the beginning of some.
type Number struct {
	Prefix string  `yaml:"prefix"`
	Weight float64 `yaml:"weight"` // 0: 1
}

// The values of settings.
const (
	VirtualTime = "virtual"
	RealTime    = "real"

	Inside  = "inside"
	Process = "process"
	None    = "none"

	FailureTerminate = "terminate"
	FailureRetry     = "retry"
	FailureContinue  = "continue"

	Silence = "silence"
	kill    = "kill"

	Call    = "call"
	Data    = "data"
	Message = "message"

	CSV  = "csv"
	JSON = "json"
)

// Default returns what a scenario does not say.
func Default() *Scenario {
	return &Scenario{
		Time: VirtualTime, Start: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Duration: 24 * time.Hour, Seed: 1, Repetitions: 1,
		OCS: OCS{Run: Inside, Host: "ocs.experiment.example", Credit: credit.DefaultConfig(), ReAuth: reauth.DefaultConfig()},
		Client: Client{
			Host:   "client.experiment.example",
			Margin: 5 * time.Second, MarginOctets: 1 << 20, Tx: 10 * time.Second, Failure: FailureTerminate, Attempts: 3, ReportAttempts: 3,
		},
		Sessions: []string{CSV, JSON},
	}
}
