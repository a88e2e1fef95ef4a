package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	maxSubscribers = 1_000_000
	maxRepetitions = 1000
	maxDuration    = 366 * 24 * time.Hour
	maxOutages     = 1000
)

// Validate returns an error if the scenario cannot be played, and reads the files of its distributions.
func (s *Scenario) Validate() error {
	switch {
	case s.Name == "" || len(s.Name) > 100:
		return errors.New("name: a scenario needs one of at most 100 octets")
	case s.Time != VirtualTime && s.Time != RealTime:
		return fmt.Errorf("time: %q is neither %s nor %s", s.Time, VirtualTime, RealTime)
	case s.Duration < time.Second || s.Duration > maxDuration || s.WarmUp < 0 || s.WarmUp >= s.Duration:
		return fmt.Errorf("duration: from 1s to %s, and warm_up less than it", maxDuration)
	case s.Repetitions < 1 || s.Repetitions > maxRepetitions:
		return fmt.Errorf("repetitions: 1 to %d", maxRepetitions)
	case s.Start.IsZero() || s.Start.Year() > 2100:
		return errors.New("start: a time such as 2026-03-02T00:00:00Z")
	}

	for _, form := range s.Sessions {
		if form != CSV && form != JSON {
			return fmt.Errorf("sessions: %q is neither %s nor %s", form, CSV, JSON)
		}
	}

	for _, part := range []func() error{s.validateOCS, s.validateClient, s.validateNetwork, s.validatePopulation} {
		if err := part(); err != nil {
			return err
		}
	}

	return nil
}

func (s *Scenario) validateOCS() error {
	o := &s.OCS

	switch {
	case o.Run != Inside && o.Run != Process && o.Run != None:
		return fmt.Errorf("ocs.run: %q is none of %s, %s, %s", o.Run, Inside, Process, None)
	case s.Time == VirtualTime && o.Run != Inside:
		return fmt.Errorf("ocs.run: in virtual time the OCS runs %s: another one would not know the time", Inside)
	case (o.Run == None) != (o.Address != ""):
		return fmt.Errorf("ocs.address: is that of an OCS that is there already (run: %s)", None)
	case o.Run == None && len(s.Outages) > 0 && slices.ContainsFunc(s.Outages, func(o Outage) bool { return o.Kind == kill }):
		return errors.New("outages: an OCS that was not started here is not killed")
	case realm(o.Host) == "" || realm(s.Client.Host) == "":
		return errors.New("ocs.host and client.host: Diameter identities, such as ocs.example.org, are needed")
	case o.Tick < 0 || o.Tick > 9*time.Second:
		return errors.New("ocs.tick: at most 9s, or the OCS takes the time between for a time that it slept")
	case len(s.Tariffs) == 0 && o.Run != None:
		return errors.New("tariffs: without one nothing has a price")
	}

	return errors.Join(o.Credit.Validate(), o.ReAuth.Validate())
}

// realm returns that of a Diameter identity.
func realm(host string) string {
	_, realm, _ := strings.Cut(host, ".")
	return realm
}

// Realm returns the realm of the OCS.
func (o *OCS) Realm() string { return realm(o.Host) }

// Realm returns the realm of the network function.
func (c *Client) Realm() string { return realm(c.Host) }

// Grain returns how often the OCS looks for silent sessions in virtual time.
func (s *Scenario) Grain() time.Duration {
	const looks, least, most = 10_000, time.Second, 9 * time.Second

	if s.OCS.Tick > 0 {
		return s.OCS.Tick
	}

	return min(max((s.Duration/looks).Round(time.Second), least), most)
}

func (s *Scenario) validateClient() error {
	c := &s.Client

	switch {
	case c.Request < 0 || c.Margin < 0:
		return errors.New("client: request and margin must not be negative")
	case c.Tx < time.Millisecond || c.Tx > time.Hour:
		return errors.New("client.tx: from 1ms to 1h")
	case c.Failure != FailureTerminate && c.Failure != FailureRetry && c.Failure != FailureContinue:
		return fmt.Errorf("client.failure: %q is none of %s, %s, %s", c.Failure, FailureTerminate, FailureRetry, FailureContinue)
	case c.Attempts < 1 || c.Attempts > 1000 || c.ReportAttempts < 1 || c.ReportAttempts > 1000:
		return errors.New("client: attempts and report_attempts from 1 to 1000")
	}

	return nil
}

func (s *Scenario) validateNetwork() error {
	n := &s.Network

	if !(n.Loss >= 0 && n.Loss <= 1) || !(n.Duplication >= 0 && n.Duplication <= 1) {
		return errors.New("network: loss and duplication are shares from 0 to 1")
	}

	if n.Delay.Is() {
		if err := n.Delay.Prepare(s.Open); err != nil {
			return fmt.Errorf("network.delay: %w", err)
		}
	}

	if len(s.Outages) > maxOutages {
		return fmt.Errorf("outages: at most %d", maxOutages)
	}

	end := time.Duration(0)
	for _, o := range s.Outages {
		if o.Kind != Silence && o.Kind != kill {
			return fmt.Errorf("outages: kind %q is neither %s nor %s", o.Kind, Silence, kill)
		}

		if o.At < end || o.For <= 0 {
			return errors.New("outages: they must come one after the other, and last some time")
		}

		end = o.At + o.For
	}

	return nil
}

func (s *Scenario) validatePopulation() error {
	names, all := map[string]bool{}, 0

	for i := range s.Population {
		g := &s.Population[i]

		if err := s.validateGroup(g); err != nil {
			return fmt.Errorf("population.%s: %w", g.Name, err)
		}

		if names[g.Name] {
			return fmt.Errorf("population: there are two named %s", g.Name)
		}

		names[g.Name] = true
		all += g.Count
	}

	if all == 0 {
		return errNothing
	}

	if all > maxSubscribers {
		return fmt.Errorf("population: at most %d subscribers", maxSubscribers)
	}

	return nil
}

func (s *Scenario) validateGroup(g *Group) error {
	switch {
	case g.Name == "" || len(g.Name) > 50:
		return errors.New("a part of the population needs a name of at most 50 octets")
	case g.Count < 1 || g.Count > maxSubscribers || g.Members < 0 || g.Balance < 0:
		return errors.New("count must be positive, members and balance not negative")
	case g.TopUp.Amount < 0 || g.TopUp.Every < 0:
		return errors.New("top_up: amount and every must not be negative")
	case g.TopUp.Amount > 0 && g.TopUp.Every == 0 && !g.TopUp.After.Is():
		return errors.New("top_up: every or after is needed")
	case len(g.Services) == 0:
		return errNothing
	}

	if _, found := s.Tariffs[g.Tariff]; g.Tariff != "" && !found && s.OCS.Run != None {
		return fmt.Errorf("tariff %q is not among the tariffs", g.Tariff)
	}

	if g.TopUp.After.Is() {
		if err := g.TopUp.After.Prepare(s.Open); err != nil {
			return fmt.Errorf("top_up.after: %w", err)
		}
	}

	for i := range g.Services {
		if err := s.validateService(&g.Services[i]); err != nil {
			return fmt.Errorf("services.%d: %w", i, err)
		}
	}

	return nil
}

func (s *Scenario) validateService(v *Service) error {
	if v.Kind != Call && v.Kind != Data && v.Kind != Message {
		return fmt.Errorf("kind %q is none of %s, %s, %s", v.Kind, Call, Data, Message)
	}

	if err := v.Arrivals.Validate(); err != nil {
		return err
	}

	if !(v.Vanish >= 0 && v.Vanish <= 1) || v.Answered != nil && !(*v.Answered >= 0 && *v.Answered <= 1) {
		return errors.New("vanish and answered are shares from 0 to 1")
	}

	if v.Kind != Message && !v.Arrivals.Traced() || v.Holding.Is() {
		if err := v.Holding.Prepare(s.Open); err != nil {
			return fmt.Errorf("holding: %w", err)
		}
	}

	if v.Kind == Data {
		if err := v.Volume.Prepare(s.Open); err != nil {
			return fmt.Errorf("volume: %w", err)
		}
	}

	if v.Ringing.Is() {
		if err := v.Ringing.Prepare(s.Open); err != nil {
			return fmt.Errorf("ringing: %w", err)
		}
	}

	for _, n := range v.Numbers {
		if n.Weight < 0 || len(n.Prefix) > 32 {
			return errors.New("numbers: a weight is negative, or a prefix longer than any number")
		}
	}

	return nil
}
