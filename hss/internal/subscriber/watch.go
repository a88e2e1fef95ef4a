package subscriber

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
)

// Watch is the wish of an application server to be told of changes of a user's data (TS 29.328 §6.1.3).
type Watch struct {
	ID             uint64 `gorm:"primaryKey"`
	SubscriptionID uint64 `gorm:"index;not null"`

	Host            string `gorm:"uniqueIndex:watch;not null"` // of the application server
	Realm           string `gorm:"uniqueIndex:watch;not null"`
	Identity        string `gorm:"uniqueIndex:watch;not null"` // public identity by which it names the user, or ""
	MSISDN          string `gorm:"uniqueIndex:watch;column:msisdn;not null"`
	PrivateIdentity string `gorm:"uniqueIndex:watch;not null"` // that alone; "": all
	Reference       uint32 `gorm:"uniqueIndex:watch;not null"`
	Service         string `gorm:"uniqueIndex:watch;not null"` // Service-Indication of repository data
	Server          string `gorm:"uniqueIndex:watch;not null"` // Server-Name of filter criteria
	IdentitySet     uint32 `gorm:"uniqueIndex:watch;not null"` // of public identities

	Owner   string    // of repository data
	OneTime bool      // it ends with the first notification
	Expires time.Time // zero: never
	Seen    string    // what the application server knows, as a digest; "": nothing yet
}

// Over reports whether the time of a watch has run out.
func (w *Watch) Over(now time.Time) bool { return !w.Expires.IsZero() && !w.Expires.After(now) }

// SameWatch returns the watch with the key of another, or nil.
func (t *Tx) SameWatch(w *Watch) (*Watch, error) {
	var found []*Watch

	err := t.db.Where("host = ? AND realm = ? AND identity = ? AND msisdn = ? AND private_identity = ?",
		w.Host, w.Realm, w.Identity, w.MSISDN, w.PrivateIdentity).
		Where("reference = ? AND service = ? AND server = ? AND identity_set = ?", w.Reference, w.Service, w.Server, w.IdentitySet).
		Limit(1).Find(&found).Error
	if err != nil {
		return nil, fmt.Errorf("watches of %s: %w", w.Host, err)
	}

	if len(found) == 0 {
		return nil, nil
	}

	return found[0], nil
}

// CountWatches returns how many watches an application server has.
func (t *Tx) CountWatches(host string) (count int64, err error) {
	if err := t.db.Model(&Watch{}).Where("host = ?", host).Count(&count).Error; err != nil {
		return 0, fmt.Errorf("watches of %s: %w", host, err)
	}

	return count, nil
}

// SaveWatch stores a watch.
func (t *Tx) SaveWatch(w *Watch) error {
	t.store.watched.Store(true)

	if err := t.db.Save(w).Error; err != nil {
		return fmt.Errorf("watch of %s: %w", w.Host, err)
	}

	return nil
}

// DeleteWatch removes a watch.
func (t *Tx) DeleteWatch(w *Watch) error {
	if err := t.db.Delete(w).Error; err != nil {
		return fmt.Errorf("watch of %s: %w", w.Host, err)
	}

	return nil
}

// WatchNumbered returns a watch by its ID, or nil.
func (t *Tx) WatchNumbered(id uint64) (*Watch, error) {
	var found []*Watch
	if err := t.db.Where("id = ?", id).Limit(1).Find(&found).Error; err != nil {
		return nil, fmt.Errorf("watch %d: %w", id, err)
	}

	if len(found) == 0 {
		return nil, nil
	}

	return found[0], nil
}

// KindsOfWatches returns which application servers watch what, one watch of each.
func (t *Tx) KindsOfWatches() ([]*Watch, error) {
	var found []*Watch
	if err := t.db.Model(&Watch{}).Distinct("host", "reference").Find(&found).Error; err != nil {
		return nil, fmt.Errorf("watches: %w", err)
	}

	return found, nil
}

// DeleteWatches removes the watches of an application server for one kind of data.
func (t *Tx) DeleteWatches(host string, reference uint32) error {
	if err := t.db.Where("host = ? AND reference = ?", host, reference).Delete(&Watch{}).Error; err != nil {
		return fmt.Errorf("watches of %s: %w", host, err)
	}

	return nil
}

// EndWatches removes all watches of an application server for a user that it does not know (TS 29.328 §6.1.4.1).
func (s *Store) EndWatches(ctx context.Context, host, identity, msisdn string) error {
	return s.Update(ctx, func(t *Tx) error {
		return t.db.Where("host = ? AND identity = ? AND msisdn = ?", host, identity, msisdn).Delete(&Watch{}).Error
	})
}

// ToldWatch records what an application server has been told. A watch for one notification ends.
func (s *Store) ToldWatch(ctx context.Context, w *Watch) error {
	return s.Update(ctx, func(t *Tx) error {
		if w.OneTime {
			return t.DeleteWatch(w)
		}

		return t.db.Model(w).Update("seen", w.Seen).Error
	})
}

// ForgetWatches removes those that are over.
func (s *Store) ForgetWatches(ctx context.Context, now time.Time) error {
	if !s.mayBeWatched() {
		return nil
	}

	return s.db.Update(ctx, func(tx *gorm.DB) error {
		return tx.Where("expires > ? AND expires <= ?", time.Time{}, now.UTC()).Delete(&Watch{}).Error
	})
}

// Which of the data a change is about.
var (
	byRegistration = []sh.DataReference{sh.ReferenceIMSPublicIdentity, sh.ReferenceIMSUserState, sh.ReferenceSCSCFName}
	byProvisioning = append([]sh.DataReference{
		sh.ReferenceFilterCriteria, sh.ReferenceCharging, sh.ReferenceMSISDN, sh.ReferenceIMSI, sh.ReferencePrivateIdentity,
	}, byRegistration...)
	byProfile = []sh.DataReference{sh.ReferenceFilterCriteria}
)

// touch is a change that application servers may have to be told of.
type touch struct {
	subscriptions []uint64 // or
	profiles      []uint64 // service profiles
	references    []sh.DataReference
}

// mayBeWatched reports whether there may be a watch. With a file, which no other HSS writes, the answer is known without a look at it.
func (s *Store) mayBeWatched() bool { return !s.file || s.watched.Load() }

// findWatches notes whether there are any.
func (s *Store) findWatches(ctx context.Context) error {
	var count int64
	if err := s.db.Read.WithContext(ctx).Model(&Watch{}).Limit(1).Count(&count).Error; err != nil {
		return fmt.Errorf("subscriber database: %w", err)
	}

	s.watched.Store(count > 0)

	return nil
}

// queueNotifications queues a PNR for each watch that a transaction may concern. What has changed is seen when it is sent.
func (t *Tx) queueNotifications() error {
	if len(t.touched) == 0 || !t.store.mayBeWatched() {
		return nil
	}

	queued := map[uint64]bool{}

	for _, change := range t.touched {
		var watches []*Watch

		query := t.db.Where("reference IN ?", change.references)
		if len(change.profiles) > 0 {
			query = query.Where("subscription_id IN (SELECT subscription_id FROM public_identities WHERE profile_id IN ?)", change.profiles)
		} else {
			query = query.Where("subscription_id IN ?", change.subscriptions)
		}

		if err := query.Order("id").Find(&watches).Error; err != nil {
			return fmt.Errorf("watches: %w", err)
		}

		for _, w := range watches {
			if queued[w.ID] || w.Over(time.Now()) {
				continue
			}

			queued[w.ID] = true

			if err := t.Queue(w.push()); err != nil {
				return err
			}
		}
	}

	return nil
}

// push returns the PNR of a watch.
func (w *Watch) push() *Push {
	return &Push{
		Command: PNR, ServerHost: w.Host, ServerRealm: w.Realm, PrivateIdentity: w.PrivateIdentity, Watch: w.ID,
		PublicIdentities: []string{w.Identity}, MSISDN: w.MSISDN,
	}
}

// RepositoryChanged queues a PNR for each watch of repository data, except that of the application server that has changed it. If the data
// is gone, document says so, and the watches end (TS 29.328 §6.1.2.1).
func (t *Tx) RepositoryChanged(r *RepositoryData, by string, document []byte) error {
	if !t.store.mayBeWatched() {
		return nil
	}

	var watches []*Watch

	err := t.db.Where("subscription_id = ? AND reference = ? AND owner = ? AND service = ?",
		r.SubscriptionID, sh.ReferenceRepositoryData, r.Owner, r.Service).Order("id").Find(&watches).Error
	if err != nil {
		return fmt.Errorf("watches: %w", err)
	}

	for _, w := range watches {
		if w.Host != by && !w.Over(time.Now()) {
			push := w.push()
			if push.Document = document; document != nil {
				push.Watch = 0
			}

			if err := t.Queue(push); err != nil {
				return err
			}
		}

		if document != nil {
			if err := t.DeleteWatch(w); err != nil {
				return err
			}
		}
	}

	return nil
}

// endWatches tells the application servers that watch identities which a subscription has no more (DeletedIdentities, TS 29.328 §6.1.4.1),
// and ends these watches.
func (t *Tx) endWatches(s *Subscription) error {
	if !t.store.mayBeWatched() {
		return nil
	}

	var watches []*Watch
	if err := t.db.Where("subscription_id = ?", s.ID).Order("id").Find(&watches).Error; err != nil {
		return fmt.Errorf("watches: %w", err)
	}

	told := map[[3]string]bool{}

	for _, w := range watches {
		if s.has(w) {
			continue
		}

		if key := [3]string{w.Host, w.Realm, w.Identity}; w.Identity != "" && !told[key] && !w.Over(time.Now()) {
			told[key] = true

			document, err := (&sh.Data{Deleted: []string{w.Identity}}).Marshal()
			if err != nil {
				return err
			}

			push := w.push()
			push.Watch, push.Document = 0, document

			if err := t.Queue(push); err != nil {
				return err
			}
		}

		if err := t.DeleteWatch(w); err != nil {
			return err
		}
	}

	return nil
}

// has reports whether the user of a watch is still part of the subscription.
func (s *Subscription) has(w *Watch) bool {
	if w.PrivateIdentity != "" && s.PrivateNamed(w.PrivateIdentity) == nil {
		return false
	}

	if w.Identity != "" {
		p, _ := s.Find(w.Identity)
		return p != nil
	}

	for _, p := range s.Private {
		if p.MSISDN == w.MSISDN {
			return true
		}
	}

	return false
}
