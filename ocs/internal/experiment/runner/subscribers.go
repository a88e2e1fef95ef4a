package runner

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/client"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/scenario"
	"github.com/dialtone-ims/dialtone/ocs/internal/experiment/traffic"
)

// source begins the sessions of one service of one subscriber, or of all subscribers if they come from a trace.
type source struct {
	run        *run
	group      int
	service    *scenario.Service
	subscriber int
	begun      int
	arrivals   *traffic.Source
	random     *rand.Rand // of what sessions are like
	trace      *traffic.Trace
	file       *os.File
}

// populate plans the first arrival of every source.
func (r *run) populate() error {
	for g := range r.scenario.Population {
		group := &r.scenario.Population[g]

		for v := range group.Services {
			service := &group.Services[v]

			if service.Arrivals.Traced() {
				if err := r.follow(g, service, v); err != nil {
					return err
				}

				continue
			}

			for subscriber := range group.Count {
				s := &source{
					run: r, group: g, service: service, subscriber: subscriber,
					random: traffic.Stream(r.seed, "sessions", g, v, subscriber),
				}
				s.arrivals = service.Arrivals.Source(traffic.Stream(r.seed, "arrivals", g, v, subscriber), r.start)
				s.next()
			}
		}

		r.topUpRegularly(g)
	}

	return nil
}

// follow plans the arrivals of a trace.
func (r *run) follow(group int, service *scenario.Service, index int) error {
	file, err := r.scenario.Open(service.Arrivals.File)
	if err != nil {
		return err
	}

	r.files = append(r.files, file)
	s := &source{
		run: r, group: group, service: service, random: traffic.Stream(r.seed, "trace", group, index),
		trace: traffic.NewTrace(file), file: file,
	}

	return s.nextOfTrace()
}

// next plans the next arrival, if it is before the end.
func (s *source) next() {
	at := s.arrivals.Next()
	for at.Before(s.run.start) {
		at = s.arrivals.Next()
	}

	if at.After(s.run.end) {
		return
	}

	s.run.timeline.At(at, func() {
		s.run.begin(s, s.subscriber, -1, "")
		s.next()
	})
}

func (s *source) nextOfTrace() error {
	a, err := s.trace.Next()
	if errors.Is(err, io.EOF) {
		return nil
	}

	if err == nil && a.Subscriber >= s.run.scenario.Population[s.group].Count {
		err = fmt.Errorf("there is no subscriber %d in population.%s", a.Subscriber, s.run.scenario.Population[s.group].Name)
	}

	if err != nil {
		return fmt.Errorf("%s: %w", s.service.Arrivals.File, err)
	}

	at := s.run.start.Add(a.After)
	if at.After(s.run.end) {
		return nil
	}

	s.run.timeline.At(at, func() {
		s.run.begin(s, a.Subscriber, a.Holding, a.Number)

		if err := s.nextOfTrace(); err != nil {
			s.run.fail(err)
		}
	})

	return nil
}

const (
	callGroup = 100 // Rating-Group of calls, unless the scenario says another
	dataGroup = 200
)

// begin begins one session. What it is like is drawn in one order, whatever comes of it.
func (r *run) begin(s *source, subscriber int, holding float64, number string) {
	group := &r.scenario.Population[s.group]
	v := s.service
	s.begun++

	w := client.Wanted{
		Kind: v.Kind, Group: group.Name, Subscriber: subscriber, Account: accountOf(group, subscriber),
		Number: numberOf(s.group, subscriber), Tariff: group.Tariff, RatingGroup: v.RatingGroup, Amount: 1, Answered: true,
	}
	r.sessions++
	w.ID = fmt.Sprintf("%s;%s;%d;%d", r.scenario.Client.Host, group.Name, subscriber, r.sessions)

	if v.Holding.Is() {
		if drawn := v.Holding.Draw(s.random); holding < 0 {
			holding = drawn
		}
	}

	volume := 0.0
	if v.Volume.Is() {
		volume = v.Volume.Draw(s.random)
	}

	if v.Ringing.Is() {
		w.Ringing = time.Duration(v.Ringing.Draw(s.random) * float64(time.Second))
	}

	answered, vanish, vanishAt := s.random.Float64(), s.random.Float64(), s.random.Float64()
	called := v.Draw(s.random)

	if number != "" {
		called = number
	}

	holding = max(holding, 0.001)
	w.Lasts = time.Duration(holding * float64(time.Second))

	switch v.Kind {
	case scenario.Call:
		w.Amount = uint64((w.Lasts + time.Second - 1) / time.Second)
		w.Answered = v.Answered == nil || answered < *v.Answered
		w.Called = called
	case scenario.Data:
		w.Amount = uint64(max(1, volume))
	default:
		w.Called = called
	}

	if w.RatingGroup == 0 {
		w.RatingGroup = map[string]uint32{scenario.Call: callGroup, scenario.Data: dataGroup}[v.Kind]
	}

	if vanish < v.Vanish && v.Kind != scenario.Message {
		w.Vanish = max(time.Millisecond, time.Duration(vanishAt*float64(w.Ringing+w.Lasts)))
	}

	r.client.Begin(w)
}

// topUpRegularly plans the top-ups of accounts that have them at intervals: not all of them at once.
func (r *run) topUpRegularly(g int) {
	group := &r.scenario.Population[g]
	if group.TopUp.Every == 0 || group.TopUp.Amount == 0 {
		return
	}

	random := traffic.Stream(r.seed, "top-ups", g)

	for first := 0; first < group.Count; first += max(1, group.Members) {
		account := accountOf(group, first)

		var again func()

		again = func() {
			r.topUp(account, group.TopUp.Amount)
			r.timeline.After(group.TopUp.Every, again)
		}
		r.timeline.After(time.Duration(random.Float64()*float64(group.TopUp.Every)), again)
	}
}

// outOfCredit plans the top-up of an account whose subscriber has noticed that there is no credit, unless it is on its way.
func (r *run) outOfCredit(group, account string) {
	for g := range r.scenario.Population {
		t := &r.scenario.Population[g].TopUp
		if r.scenario.Population[g].Name != group || !t.After.Is() || t.Amount == 0 || r.expected[account] {
			continue
		}

		r.expected[account] = true
		r.timeline.After(time.Duration(t.After.Draw(r.later)*float64(time.Second)), func() {
			delete(r.expected, account)
			r.topUp(account, t.Amount)
		})
	}
}
