package subscriber

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

var (
	// ErrNotFound is returned when the database, which works, does not have something.
	ErrNotFound = errors.New("not found")
	// errBadWildcard is returned for a wildcarded identity without an expression between two exclamation marks.
	errBadWildcard = errors.New("a wildcarded identity has an expression between two exclamation marks")
)

// Tx is one transaction. What it has read stays unchanged until it ends.
type Tx struct {
	store  *Store
	db     *gorm.DB
	update bool

	moved       []*Subscription // subscriptions whose registration it has saved
	provisioned bool            // it has saved something else
	touched     []touch         // what application servers may have to be told of
	queued      bool            // it has queued a push
}

// View runs f on one consistent state of the database.
func (s *Store) View(ctx context.Context, f func(*Tx) error) error {
	return s.db.Snapshot(ctx, func(db *gorm.DB) error { return f(&Tx{store: s, db: db}) })
}

// Update runs f as the only writer of what it reads. If f fails, nothing changes.
func (s *Store) Update(ctx context.Context, f func(*Tx) error) error {
	select { // one at a time, so that each finds in the cache what the previous one committed
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return fmt.Errorf("waiting for the subscriber database: %w", ctx.Err())
	}

	t := &Tx{store: s, update: true}

	err := s.db.Update(ctx, func(db *gorm.DB) error {
		t.db = db

		if err := f(t); err != nil {
			return err
		}

		return t.queueNotifications()
	})
	if err == nil {
		s.cache.committed(t)

		if t.queued {
			s.wake()
		}
	}

	return err
}

// Identities is Tx.Identities in a View of its own.
func (s *Store) Identities(ctx context.Context, private, public string) (Identities, error) {
	who, _ := s.remembered(private, public)
	if who.Subscription != nil {
		return who, nil
	}

	err := s.View(ctx, func(t *Tx) (err error) {
		who, err = t.Identities(private, public)
		return err
	})

	return who, err
}

// remembered finds identities in the cache; without a subscription in the result they are not there.
func (s *Store) remembered(private, public string) (who Identities, generation uint64) {
	who.Subscription, generation = s.cache.find(private, public)
	if who.Subscription != nil {
		who.Private = who.Subscription.PrivateNamed(private)
		who.Public, who.Set = who.Subscription.Find(public)
	}

	return who, generation
}

// Identities looks up what a request names; an empty name is not looked up. A name that is not in the database leaves its part nil; an
// error means that the database has failed.
func (t *Tx) Identities(private, public string) (Identities, error) {
	who, generation := t.store.remembered(private, public)
	if who.Subscription != nil {
		return who, nil
	}

	privateOf, err := t.subscriptionOf("private_identities", private)
	if err != nil {
		return who, fmt.Errorf("identity %s: %w", private, err)
	}

	publicOf, err := t.subscriptionOfPublic(public)
	if err != nil {
		return who, fmt.Errorf("identity %s: %w", public, err)
	}

	if publicOf != 0 {
		if who.Subscription, err = t.subscription(publicOf); err != nil {
			return who, err
		}

		who.Public, who.Set = who.Subscription.Find(public)
	}

	if privateOf != 0 {
		if privateOf != publicOf {
			if who.Subscription, err = t.subscription(privateOf); err != nil {
				return who, err
			}
		}

		who.Private = who.Subscription.PrivateNamed(private)
	}

	if who.Subscription != nil && !t.dirty() {
		t.store.cache.put(who.Subscription, generation)
	}

	return who, nil
}

// dirty reports whether the transaction has changed something, which others must not see before it is committed.
func (t *Tx) dirty() bool { return t.provisioned || len(t.moved) > 0 }

func (t *Tx) subscriptionOf(table, identity string) (uint64, error) {
	if identity == "" {
		return 0, nil
	}

	var id []uint64

	err := t.db.Raw("SELECT subscription_id FROM "+table+" WHERE identity = ?", identity).Scan(&id).Error
	if err != nil || len(id) == 0 {
		return 0, err
	}

	return id[0], nil
}

// subscriptionOfPublic prefers a distinct identity to a wildcarded one that matches (TS 23.003 §13.5).
func (t *Tx) subscriptionOfPublic(identity string) (uint64, error) {
	id, err := t.subscriptionOf("public_identities", identity)
	if err != nil || id != 0 || identity == "" {
		return id, err
	}

	var wildcards []*PublicIdentity
	if err := t.db.Where("wildcard = ?", true).Order("id").Find(&wildcards).Error; err != nil {
		return 0, err
	}

	for _, w := range wildcards {
		if w.Matches(identity) {
			return w.SubscriptionID, nil
		}
	}

	return 0, nil
}

// subscription loads a subscription with all that belongs to it.
func (t *Tx) subscription(id uint64) (*Subscription, error) {
	s := new(Subscription)

	db := t.db
	if t.update { // no-one else changes the subscription meanwhile; SQLite has one writer anyway
		db = db.Clauses(clause.Locking{Strength: "UPDATE"})
	}

	found := db.Where("id = ?", id).Limit(1).Find(s)

	var (
		public        []*PublicIdentity
		registrations []*Registration
	)

	err := errors.Join(
		found.Error,
		t.db.Where("subscription_id = ?", id).Order("id").Find(&s.Private).Error,
		t.db.Where("subscription_id = ?", id).Order("number").Find(&s.Sets).Error,
		t.db.Where("subscription_id = ?", id).Order("position, id").Find(&public).Error,
		t.db.Where("set_id IN (SELECT id FROM registration_sets WHERE subscription_id = ?)", id).Order("private_id").
			Find(&registrations).Error,
	)
	if err != nil {
		return nil, fmt.Errorf("subscription %d: %w", id, err)
	}

	if found.RowsAffected == 0 {
		return nil, fmt.Errorf("subscription %d: %w", id, ErrNotFound)
	}

	s.link(public, registrations)

	return s, nil
}

// link joins the rows of a subscription.
func (s *Subscription) link(public []*PublicIdentity, registrations []*Registration) {
	privates := map[uint64]*PrivateIdentity{}
	for _, p := range s.Private {
		privates[p.ID] = p
	}

	sets := map[uint64]*RegistrationSet{}
	for _, set := range s.Sets {
		sets[set.ID] = set
	}

	for _, p := range public {
		if set := sets[p.SetID]; set != nil {
			set.Public = append(set.Public, p)
		}
	}

	for _, r := range registrations {
		if set, private := sets[r.SetID], privates[r.PrivateID]; set != nil && private != nil {
			r.Private = private
			set.Registrations = append(set.Registrations, r)
		}
	}
}

// ByMSISDN returns the subscription of a SIM with an MSISDN, digits alone, and the SIM's private identity; or nils.
func (t *Tx) ByMSISDN(msisdn string) (*Subscription, *PrivateIdentity, error) {
	var identities []string

	err := t.db.Raw("SELECT identity FROM private_identities WHERE msisdn IN ? ORDER BY id LIMIT 1", []string{msisdn, "+" + msisdn}).
		Scan(&identities).Error
	if err != nil {
		return nil, nil, fmt.Errorf("MSISDN %s: %w", msisdn, err)
	}

	if len(identities) == 0 {
		return nil, nil, nil
	}

	who, err := t.Identities(identities[0], "")

	return who.Subscription, who.Private, err
}

// Secrets unseals the secrets of a private identity.
func (t *Tx) Secrets(p *PrivateIdentity) (Secrets, error) { return t.store.secrets(p) }

// Profiles loads the service profiles of the identities of a subscription.
func (t *Tx) Profiles(s *Subscription) error {
	var ids []uint64

	for _, set := range s.Sets {
		for _, p := range set.Public {
			if p.ProfileID != 0 {
				ids = append(ids, p.ProfileID)
			}
		}
	}

	if len(ids) == 0 {
		return nil
	}

	var profiles []*ServiceProfile
	if err := t.db.Where("id IN ?", ids).Find(&profiles).Error; err != nil {
		return fmt.Errorf("service profiles: %w", err)
	}

	byID := map[uint64]*ServiceProfile{}
	for _, profile := range profiles {
		byID[profile.ID] = profile
	}

	for _, set := range s.Sets {
		for _, p := range set.Public {
			p.Profile = byID[p.ProfileID]
		}
	}

	return nil
}

// SharedSets loads shared iFC sets by number.
func (t *Tx) SharedSets(numbers []int) (map[int]*SharedFilterCriteria, error) {
	found := map[int]*SharedFilterCriteria{}
	if len(numbers) == 0 {
		return found, nil
	}

	var rows []*SharedFilterCriteria
	if err := t.db.Where("number IN ?", numbers).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("shared iFC sets: %w", err)
	}

	for _, row := range rows {
		found[row.Number] = row
	}

	return found, nil
}

// registrationChanged reports whether there is anything to save.
func (s *Subscription) registrationChanged() bool {
	changed := s.moved

	for _, set := range s.Sets {
		changed = changed || set.changed || slices.ContainsFunc(set.Registrations, func(r *Registration) bool { return r.changed })
	}

	return changed
}

// SaveRegistration saves what a Cx procedure has changed of a subscription, if anything.
func (t *Tx) SaveRegistration(s *Subscription) error {
	var err error

	t.moved = append(t.moved, s)

	if s.registrationChanged() {
		t.touched = append(t.touched, touch{subscriptions: []uint64{s.ID}, references: byRegistration})
	}

	if s.moved {
		err = t.db.Model(s).Select("ServerName", "ServerHost", "PreviousHost", "Features").Updates(s).Error
		s.moved = false
	}

	for _, set := range s.Sets {
		if set.changed {
			err = errors.Join(err, t.db.Model(set).Update("unregistered", set.Unregistered).Error)
			set.changed = false
		}

		for _, r := range set.Registrations {
			if r.changed {
				err = errors.Join(err, t.db.Model(r).Select("Registered", "AuthPending", "Since", "Restoration").Updates(r).Error)
				r.changed = false
			}
		}
	}

	if err != nil {
		return fmt.Errorf("registration of %s: %w", s.Name, err)
	}

	return nil
}
