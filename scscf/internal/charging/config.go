package charging

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// FailureHandling says what happens to a service when the OCS does not answer: Credit-Control-Failure-Handling (RFC 8506 §8.14).
type FailureHandling string

// The values of FailureHandling.
const (
	Terminate         FailureHandling = "terminate"
	Continue          FailureHandling = "continue" // the service goes on without credit control
	RetryAndTerminate FailureHandling = "retry"    // the CCR is sent once more
)

// Config says what is charged and how.
type Config struct {
	Enabled          bool            `yaml:"enabled"`
	Terminating      bool            `yaml:"terminating"` // the called party's side, too
	Events           string          `yaml:"events"`      // how requests outside sessions are charged: off, iec or ecur
	EventMethods     []string        `yaml:"event_methods"`
	InDialog         []string        `yaml:"in_dialog"`    // methods that are charged in the same way within dialogs, too
	FreeContent      []string        `yaml:"free_content"` // media types of messages that cost nothing
	ServiceContextID string          `yaml:"service_context"`
	RatingGroup      uint32          `yaml:"rating_group"`
	RequestedTime    time.Duration   `yaml:"requested_time"`   // asked for in each request; 0 leaves it to the OCS
	UpdateMargin     time.Duration   `yaml:"update_margin"`    // before the quota ends, unless the OCS gives a threshold
	FailureHandling  FailureHandling `yaml:"failure_handling"` // terminate, continue or retry, unless the OCS says (RFC 8506 §8.14)
	// Resume is how often an OCS that is away is tried while a call goes on without it; 0: never.
	Resume time.Duration `yaml:"resume"`
	Settle time.Duration `yaml:"settle"` // how long an unanswered last report is repeated
	Realm  string        `yaml:"realm"`  // of the OCS
	Host   string        `yaml:"host"`   // of the OCS; empty: any that serves the realm
}

// Validate refuses settings that cannot work.
func (c *Config) Validate() error {
	switch {
	case !c.Enabled:
		return nil
	case c.FailureHandling != Terminate && c.FailureHandling != Continue && c.FailureHandling != RetryAndTerminate:
		return fmt.Errorf("charging.failure_handling: %q is none of terminate, continue, retry", c.FailureHandling)
	case c.Events != NoEvents && c.Events != Immediate && c.Events != Reserved:
		return fmt.Errorf("charging.events: %q is none of off, iec, ecur", c.Events)
	case slices.ContainsFunc(c.EventMethods, func(m string) bool { return !slices.Contains(eventMethods, m) }):
		return fmt.Errorf("charging.event_methods: %v: only %v can be charged", c.EventMethods, eventMethods)
	case slices.ContainsFunc(c.InDialog, func(m string) bool { return !slices.Contains(inDialog, m) }):
		return fmt.Errorf("charging.in_dialog: %v: only %v can be charged", c.InDialog, inDialog)
	case c.ServiceContextID == "" || c.Realm == "":
		return errors.New("charging: service_context and realm are needed")
	case c.RequestedTime < 0 || c.UpdateMargin < 0 || c.Resume < 0 || c.Settle < 0:
		return errors.New("charging: requested_time, update_margin, resume and settle must not be negative")
	}

	return nil
}

// eventMethods are the requests that can be charged one by one.
var eventMethods = []string{"MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER", "OPTIONS"}

// inDialog are the requests that can be charged within a dialog.
var inDialog = []string{"MESSAGE", "INFO", "NOTIFY", "REFER", "OPTIONS"}
