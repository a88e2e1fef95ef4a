package subscriber

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	"modernc.org/sqlite"

	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// ErrTaken is returned when a name or identity is already used.
var ErrTaken = errors.New("already used")

// ErrAmbiguous is returned when a text means several subscribers.
var ErrAmbiguous = errors.New("name the subscriber")

// Named loads a subscription by the operator's name for it.
func (t *Tx) Named(name string) (*Subscription, error) {
	var ids []uint64
	if err := t.db.Raw("SELECT id FROM subscriptions WHERE name = ?", name).Scan(&ids).Error; err != nil {
		return nil, fmt.Errorf("subscriber %s: %w", name, err)
	}

	if len(ids) == 0 {
		return nil, fmt.Errorf("subscriber %s: %w", name, ErrNotFound)
	}

	return t.subscription(ids[0])
}

// Written loads a subscription by its name or by any of its identities, in any usual form. A name takes precedence over an identity;
// ErrAmbiguous names the subscribers if the text means identities of several.
func (t *Tx) Written(text, domain string) (*Subscription, error) {
	s, err := t.Named(text)
	if !errors.Is(err, ErrNotFound) {
		return s, err
	}

	meant := ims.ParseWritten(text, domain)

	var ids []uint64

	err = t.db.Raw(
		"SELECT subscription_id FROM private_identities WHERE identity IN ? OR imsi IN ? OR msisdn IN ?"+
			" UNION SELECT subscription_id FROM public_identities WHERE identity IN ?",
		meant.Private, given(meant.IMSI), given(meant.MSISDN), meant.Public,
	).Scan(&ids).Error

	switch {
	case err != nil:
		return nil, fmt.Errorf("subscriber %s: %w", text, err)
	case len(ids) == 0:
		return nil, fmt.Errorf("no subscriber has the name, IMSI, MSISDN, user or identity %s: %w", text, ErrNotFound)
	case len(ids) == 1:
		return t.subscription(ids[0])
	}

	var names []string
	if err := t.db.Raw("SELECT name FROM subscriptions WHERE id IN ? ORDER BY name LIMIT 10", ids).Scan(&names).Error; err != nil {
		return nil, fmt.Errorf("subscriber %s: %w", text, err)
	}

	return nil, fmt.Errorf("%s is an identity of %s: %w", text, strings.Join(names, " and of "), ErrAmbiguous)
}

// given returns the value to look for; none if it is empty.
func given(value string) []string {
	if value == "" {
		return nil
	}

	return []string{value}
}

// Filter selects subscribers of a list; empty fields select all.
type Filter struct {
	IMSI, MSISDN     string
	PrivateIdentity  string
	PublicIdentities []string // any of these
	After            string   // names after this one
	Limit            int
}

// List returns subscriptions in the order of their names.
func (t *Tx) List(f Filter) ([]*Subscription, error) {
	query := t.db.Model(&Subscription{}).Order("name").Where("name > ?", f.After)

	for column, value := range map[string]string{"imsi": f.IMSI, "msisdn": f.MSISDN, "identity": f.PrivateIdentity} {
		if value != "" {
			query = query.Where("id IN (SELECT subscription_id FROM private_identities WHERE "+column+" = ?)", value)
		}
	}

	if len(f.PublicIdentities) > 0 {
		query = query.Where("id IN (SELECT subscription_id FROM public_identities WHERE identity IN ?)", f.PublicIdentities)
	}

	if f.Limit > 0 {
		query = query.Limit(f.Limit)
	}

	var ids []uint64
	if err := query.Pluck("id", &ids).Error; err != nil {
		return nil, fmt.Errorf("subscribers: %w", err)
	}

	subscriptions := make([]*Subscription, 0, len(ids))

	for _, id := range ids {
		s, err := t.subscription(id)
		if err != nil {
			return nil, err
		}

		subscriptions = append(subscriptions, s)
	}

	return subscriptions, nil
}

// Counts is the numbers of stored rows.
type Counts struct{ Subscriptions, PrivateIdentities, PublicIdentities, Registered, Watches, Repository int64 }

// Count returns the numbers of stored rows.
func (t *Tx) Count() (Counts, error) {
	var c Counts

	err := errors.Join(
		t.db.Model(&Subscription{}).Count(&c.Subscriptions).Error,
		t.db.Model(&PrivateIdentity{}).Count(&c.PrivateIdentities).Error,
		t.db.Model(&PublicIdentity{}).Count(&c.PublicIdentities).Error,
		t.db.Model(&Registration{}).Where("registered = ?", true).Distinct("private_id").Count(&c.Registered).Error,
		t.db.Model(&Watch{}).Count(&c.Watches).Error,
		t.db.Model(&RepositoryData{}).Count(&c.Repository).Error,
	)

	return c, err
}

// SetSecrets seals the secrets into an identity, to be saved by the caller.
func (t *Tx) SetSecrets(p *PrivateIdentity, secrets Secrets) { t.store.setSecrets(p, secrets) }

// savePrivate writes the provisioned part of a private identity; the sequence number only if it is new.
func (t *Tx) savePrivate(p *PrivateIdentity) error {
	if p.ID == 0 {
		return t.db.Create(p).Error
	}

	return t.db.Omit("SQN").Save(p).Error
}

// Save writes a subscription and all that belongs to it, and deletes what does not belong to it any more. ErrTaken names the identity that
// another one has.
func (t *Tx) Save(s *Subscription) error {
	t.provisioned = true

	if err := t.taken(s); err != nil {
		return err
	}

	if err := t.save(s); err != nil {
		if duplicate(err) { // between the check and the write, from another HSS on the same database
			err = errors.Join(ErrTaken, err)
		}

		return fmt.Errorf("subscriber %s: %w", s.Name, err)
	}

	t.touched = append(t.touched, touch{subscriptions: []uint64{s.ID}, references: byProvisioning})

	return errors.Join(t.pruneRepository(s), t.endWatches(s))
}

// taken returns an error that lists the names and identities of the subscription that others have.
func (t *Tx) taken(s *Subscription) error {
	var conflicts []string

	check := func(what, table, column, value, owner string) error {
		if value == "" {
			return nil
		}

		var found []uint64
		if err := t.db.Raw("SELECT id FROM "+table+" WHERE "+column+" = ? AND "+owner+" <> ?", value, s.ID).Scan(&found).Error; err != nil {
			return fmt.Errorf("subscriber %s: %w", s.Name, err)
		}

		if len(found) > 0 {
			conflicts = append(conflicts, what+" "+value)
		}

		return nil
	}

	err := check("name", "subscriptions", "name", s.Name, "id")
	for _, p := range s.Private {
		err = errors.Join(err, check("private identity", "private_identities", "identity", p.Identity, "subscription_id"),
			check("IMSI", "private_identities", "imsi", p.IMSI, "subscription_id"))
	}

	for _, set := range s.Sets {
		for _, p := range set.Public {
			err = errors.Join(err, check("public identity", "public_identities", "identity", p.Identity, "subscription_id"))
		}
	}

	if err == nil && len(conflicts) > 0 {
		err = fmt.Errorf("%s: %w", strings.Join(conflicts, ", "), ErrTaken)
	}

	return err
}

func (t *Tx) save(s *Subscription) error {
	if err := t.db.Save(s).Error; err != nil {
		return err
	}

	if err := t.prune(s); err != nil {
		return err
	}

	for _, p := range s.Private {
		p.SubscriptionID = s.ID
		if err := t.savePrivate(p); err != nil {
			return err
		}
	}

	for _, set := range s.Sets {
		set.SubscriptionID = s.ID
		if err := t.db.Save(set).Error; err != nil {
			return err
		}

		for i, p := range set.Public {
			p.SubscriptionID, p.SetID, p.Position = s.ID, set.ID, i
			if err := t.db.Save(p).Error; err != nil {
				return err
			}
		}

		if err := t.db.Where("set_id = ?", set.ID).Delete(&Registration{}).Error; err != nil {
			return err
		}

		for _, r := range set.Registrations {
			r.SetID, r.PrivateID = set.ID, r.Private.ID
			if err := t.db.Create(r).Error; err != nil {
				return err
			}
		}
	}

	return nil
}

// prune deletes the rows that do not belong to a subscription any more.
func (t *Tx) prune(s *Subscription) error {
	privates, sets, publics := []uint64{0}, []uint64{0}, []uint64{0}

	for _, p := range s.Private {
		privates = append(privates, p.ID)
	}

	for _, set := range s.Sets {
		sets = append(sets, set.ID)
		for _, p := range set.Public {
			publics = append(publics, p.ID)
		}
	}

	of := func() *gorm.DB { return t.db.Where("subscription_id = ?", s.ID) }

	return errors.Join(
		t.db.Where(
			"set_id IN (SELECT id FROM registration_sets WHERE subscription_id = ? AND id NOT IN ?)",
			s.ID,
			sets,
		).Delete(
			&Registration{},
		).Error,
		t.db.Where(
			"private_id IN (SELECT id FROM private_identities WHERE subscription_id = ? AND id NOT IN ?)",
			s.ID,
			privates,
		).Delete(
			&Registration{},
		).Error,
		of().Where("id NOT IN ?", publics).Delete(&PublicIdentity{}).Error,
		of().Where("id NOT IN ?", privates).Delete(&PrivateIdentity{}).Error,
		of().Where("id NOT IN ?", sets).Delete(&RegistrationSet{}).Error,
	)
}

// Delete removes a subscription with all that belongs to it.
func (t *Tx) Delete(s *Subscription) error {
	t.provisioned = true

	empty := &Subscription{ID: s.ID, Name: s.Name}

	if err := errors.Join(t.endWatches(empty), t.pruneRepository(empty), t.prune(empty), t.db.Delete(empty).Error); err != nil {
		return fmt.Errorf("subscriber %s: %w", s.Name, err)
	}

	return nil
}

// Profile finds a service profile by name.
func (t *Tx) Profile(name string) (*ServiceProfile, error) {
	profile := new(ServiceProfile)

	found := t.db.Where("name = ?", name).Limit(1).Find(profile)
	if found.Error != nil {
		return nil, fmt.Errorf("service profile %s: %w", name, found.Error)
	}

	if found.RowsAffected == 0 {
		return nil, fmt.Errorf("service profile %s: %w", name, ErrNotFound)
	}

	return profile, nil
}

// AllProfiles lists the service profiles by name.
func (t *Tx) AllProfiles() ([]*ServiceProfile, error) {
	var profiles []*ServiceProfile
	if err := t.db.Order("name").Find(&profiles).Error; err != nil {
		return nil, fmt.Errorf("service profiles: %w", err)
	}

	return profiles, nil
}

// SaveProfile writes a service profile.
func (t *Tx) SaveProfile(p *ServiceProfile) error {
	if err := t.db.Save(p).Error; err != nil {
		return fmt.Errorf("service profile %s: %w", p.Name, err)
	}

	t.touched = append(t.touched, touch{profiles: []uint64{p.ID}, references: byProfile})

	return nil
}

// ErrInUse is returned for a deletion of something still in use.
var ErrInUse = errors.New("in use")

// DeleteProfile removes a service profile that no identity uses.
func (t *Tx) DeleteProfile(p *ServiceProfile) error {
	var users int64
	if err := t.db.Model(&PublicIdentity{}).Where("profile_id = ?", p.ID).Count(&users).Error; err != nil {
		return fmt.Errorf("service profile %s: %w", p.Name, err)
	}

	if users > 0 {
		return fmt.Errorf("service profile %s: %w by %d public identities", p.Name, ErrInUse, users)
	}

	if err := t.db.Delete(p).Error; err != nil {
		return fmt.Errorf("service profile %s: %w", p.Name, err)
	}

	return nil
}

// AllSharedSets lists the shared iFC sets by number.
func (t *Tx) AllSharedSets() ([]*SharedFilterCriteria, error) {
	var sets []*SharedFilterCriteria
	if err := t.db.Order("number").Find(&sets).Error; err != nil {
		return nil, fmt.Errorf("shared iFC sets: %w", err)
	}

	return sets, nil
}

// SaveSharedSet writes a shared iFC set.
func (t *Tx) SaveSharedSet(set *SharedFilterCriteria) error {
	if err := t.db.Save(set).Error; err != nil {
		return fmt.Errorf("shared iFC set %d: %w", set.Number, err)
	}

	if !t.store.mayBeWatched() {
		return nil
	}

	profiles, err := t.ProfilesSharing(set.Number)
	if err != nil {
		return err
	}

	for _, p := range profiles {
		t.touched = append(t.touched, touch{profiles: []uint64{p.ID}, references: byProfile})
	}

	return nil
}

// DeleteSharedSet removes a shared iFC set that no profile uses.
func (t *Tx) DeleteSharedSet(number int) error {
	profiles, err := t.ProfilesSharing(number)
	if err != nil {
		return err
	}

	if len(profiles) > 0 {
		return fmt.Errorf("shared iFC set %d: %w by service profile %s", number, ErrInUse, profiles[0].Name)
	}

	deleted := t.db.Where("number = ?", number).Delete(&SharedFilterCriteria{})
	if deleted.Error != nil {
		return fmt.Errorf("shared iFC set %d: %w", number, deleted.Error)
	}

	if deleted.RowsAffected == 0 {
		return fmt.Errorf("shared iFC set %d: %w", number, ErrNotFound)
	}

	return nil
}

// ProfilesSharing returns the service profiles that use a shared iFC set.
func (t *Tx) ProfilesSharing(number int) ([]*ServiceProfile, error) {
	profiles, err := t.AllProfiles()
	if err != nil {
		return nil, err
	}

	return slices.DeleteFunc(profiles, func(p *ServiceProfile) bool { return !slices.Contains(p.SharedSets, number) }), nil
}

// duplicate reports whether an error is a driver's violation of a unique index.
func duplicate(err error) bool {
	var (
		file   *sqlite.Error
		server *pgconn.PgError
	)

	switch {
	case errors.As(err, &file):
		return file.Code() == 1555 || file.Code() == 2067 // SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE
	case errors.As(err, &server):
		return server.Code == "23505"
	default:
		return strings.Contains(err.Error(), "UNIQUE constraint failed")
	}
}
