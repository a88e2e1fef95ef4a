package registrar

import (
	"context"
	"time"

	"github.com/dialtone-ims/dialtone/scscf/internal/registration"
)

// Restore restores the registrations that an earlier process kept in a directory, and keeps registrations there from now on. It must be
// called before Run. Run fetches the profiles once the HSS can be reached.
func (r *Registrar) Restore(directory string) error {
	j, registrations, err := openJournal(directory, r.log)
	if err != nil {
		return err
	}

	r.journal = j

	for id, g := range registrations {
		rec := &record{registrar: r, id: id}
		r.recordIDs.Store(max(r.recordIDs.Load(), id))

		for _, b := range g.Bindings {
			r.contactIDs.Store(max(r.contactIDs.Load(), b.ID))
		}

		if _, _, err := r.store.update(rec, func(*registration.Registration) (*registration.Registration, error) { return g, nil },
			func(after *registration.Registration) {
				for _, private := range after.Privates() {
					rec.hold(&registrant{private: private, run: r.machine.Start(Registered)}, after)
				}
			}); err != nil {
			return err
		}

		r.arm(rec, g)
	}

	if len(registrations) > 0 {
		r.log.Info("registrations restored", "count", len(registrations))
	}

	return nil
}

// Run does background work until ctx ends. ready returns an error while the HSS cannot be reached.
func (r *Registrar) Run(ctx context.Context, ready func() error) {
	done := make(chan struct{})

	go func() {
		defer close(done)

		r.flushes(ctx)
	}()

	if r.awaitReady(ctx, ready) {
		r.reviveAll()
		r.work.Run(ctx)
	}

	<-done
}

// awaitReady waits until the HSS can be reached: without it, pending SARs would be lost.
func (r *Registrar) awaitReady(ctx context.Context, ready func() error) bool {
	const interval = 100 * time.Millisecond

	tick := time.NewTicker(interval)
	defer tick.Stop()

	for ready() != nil {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}

	return true
}

// reviveAll fetches the profiles of all restored registrations.
func (r *Registrar) reviveAll() {
	for _, rec := range r.store.all() {
		g := rec.current.Load()
		if g == nil || !g.ProfileMissing() {
			continue
		}

		r.work.Add(func(ctx context.Context) {
			release, err := r.locks.lock(ctx, g.Private)
			if err != nil {
				return
			}
			defer release()

			if refusal := r.revive(ctx, rec); refusal != nil {
				r.log.Warn(
					"the profile of a restored registration could not be fetched",
					"impi", g.Private,
					"impu", g.Primary(),
					"cause", refusal,
				)
			}
		})
	}
}

// flushes flushes the journal periodically until ctx ends.
func (r *Registrar) flushes(ctx context.Context) {
	tick := time.NewTicker(flushInterval)
	defer tick.Stop()

	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.flush()
		}
	}
}

func (r *Registrar) flush() {
	if err := r.journal.flush(r.store.count, r.store.all); err != nil {
		r.metrics.journalFailures.Inc()
		r.log.Error("registrations could not be written; they would be lost at a restart", "cause", err)
	}
}

// Close flushes the journal. The registrar must not be used afterwards.
func (r *Registrar) Close() error {
	r.flush()

	return r.journal.close()
}
