package subscriber

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Push is a request from the HSS to an S-CSCF or MME, stored until it is answered or given up, so that neither a lost connection nor a
// restart loses it.
type Push struct {
	ID      uint64 `gorm:"primaryKey"`
	Command PushCommand

	ServerHost        string // Diameter identity of the S-CSCF or MME
	ServerRealm       string // of an MME, AAA server or application server
	PrivateIdentity   string
	IMSI              string   // of a request to an MME
	OtherIdentities   []string `gorm:"serializer:json"` // further private identities of an RTR
	PublicIdentities  []string `gorm:"serializer:json"` // ended by an RTR, none for all; for a PPR, an identity of the set
	Reason            uint32   // Reason-Code of an RTR, Cancellation-Type of a CLR, DSR-Flags, PPR-Flags
	Contexts          []uint32 `gorm:"serializer:json"` // Context-Identifiers of a DSR
	Info              string   // Reason-Info of an RTR
	Watch             uint64   // of a PNR about data that is read when it is sent
	MSISDN            string   `gorm:"column:msisdn"` // of a PNR, in place of a public identity
	Document          []byte   // User-Data of a PNR about data that there is no more
	Created, Finished time.Time

	State    PushState `gorm:"index"`
	Attempts int
	Next     time.Time // of the next attempt
	Result   string    // of the last attempt
}

// PushCommand is the command to be sent.
type PushCommand string

// The requests that the HSS sends.
const (
	PPR PushCommand = "PPR"
	RTR PushCommand = "RTR"
	CLR PushCommand = "CLR"
	IDR PushCommand = "IDR"
	DSR PushCommand = "DSR"
	RSR PushCommand = "RSR"

	PNR PushCommand = "PNR" // to an application server

	// Requests to an AAA server.
	SWxRTR PushCommand = "RTR (SWx)"
	SWxPPR PushCommand = "PPR (SWx)"
)

// ToMME reports whether the push goes to an MME, not to an S-CSCF.
func (p *Push) ToMME() bool {
	return p.Command == CLR || p.Command == IDR || p.Command == DSR || p.Command == RSR
}

// PushState is the state of a push.
type PushState string

// The states of a push.
const (
	PushPending   PushState = "pending"
	PushDelivered PushState = "delivered" // the peer has complied
	PushRefused   PushState = "refused"   // the peer has refused
	PushFailed    PushState = "failed"    // no answer within the attempts
)

// Queue stores a push; it is sent once the transaction is committed.
func (t *Tx) Queue(p *Push) error {
	t.queued = true

	p.Created, p.State, p.Next = time.Now().UTC(), PushPending, time.Now().UTC()
	if err := t.db.Create(p).Error; err != nil {
		return fmt.Errorf("queue %s for %s: %w", p.Command, p.PrivateIdentity, err)
	}

	return nil
}

// QueueProfile queues a PPR for each registration set that uses a service profile and whose data an S-CSCF holds, with one query however
// many there are: nobody else can write meanwhile.
func (t *Tx) QueueProfile(p *ServiceProfile) error {
	var holders []struct {
		SetID           uint64
		ServerHost      string
		PrivateIdentity string
		PublicIdentity  string
	}

	err := t.db.Raw(`
		SELECT st.id AS set_id, s.server_host, p.identity AS private_identity, first.identity AS public_identity
		FROM registration_sets st
		JOIN subscriptions s ON s.id = st.subscription_id
		JOIN registrations r ON r.set_id = st.id
		JOIN private_identities p ON p.id = r.private_id
		JOIN public_identities first ON first.set_id = st.id AND first.position = 0
		WHERE (r.registered = ? OR st.unregistered = ?)
		AND EXISTS (SELECT 1 FROM public_identities u WHERE u.set_id = st.id AND u.profile_id = ?)
		ORDER BY st.id, r.registered DESC, p.id`, true, true, p.ID).Scan(&holders).Error
	if err != nil {
		return fmt.Errorf("users of service profile %s: %w", p.Name, err)
	}

	var (
		pushes []*Push
		set    uint64
		now    = time.Now().UTC()
	)

	for _, h := range holders {
		if h.SetID == set { // one private identity is enough
			continue
		}

		set = h.SetID
		pushes = append(pushes, &Push{
			Command: PPR, ServerHost: h.ServerHost, PrivateIdentity: h.PrivateIdentity, PublicIdentities: []string{h.PublicIdentity},
			Created: now, State: PushPending, Next: now,
		})
	}

	if len(pushes) == 0 {
		return nil
	}

	if err := t.db.CreateInBatches(pushes, 200).Error; err != nil {
		return fmt.Errorf("queue PPR for service profile %s: %w", p.Name, err)
	}

	return nil
}

// Shared reports whether other HSSs may use the same database.
func (s *Store) Shared() bool { return !s.file }

// Except excludes pushes: to these hosts, to these realms, and to any realm. Pushes to S-CSCFs have no realm.
type Except struct {
	Hosts, Realms []string
	AllRealms     bool
}

// Due returns the pushes to be sent now that are not excluded, in their order, and the time of the next one after them (zero: none).
func (s *Store) Due(ctx context.Context, now time.Time, limit int, except Except) ([]*Push, time.Time, error) {
	var due []*Push

	db := s.db.Read.WithContext(ctx)

	query := db.Where("state = ? AND next <= ?", PushPending, now.UTC())
	if len(except.Hosts) > 0 {
		query = query.Where("server_host NOT IN ?", except.Hosts)
	}

	switch {
	case except.AllRealms:
		query = query.Where("COALESCE(server_realm, '') = ''")
	case len(except.Realms) > 0:
		query = query.Where("COALESCE(server_realm, '') NOT IN ?", except.Realms)
	}

	if err := query.Order("id").Limit(limit).Find(&due).Error; err != nil {
		return nil, time.Time{}, fmt.Errorf("pushes: %w", err)
	}

	var later []*Push
	if err := db.Where("state = ? AND next > ?", PushPending, now.UTC()).Order("next").Limit(1).Find(&later).Error; err != nil {
		return nil, time.Time{}, fmt.Errorf("pushes: %w", err)
	}

	if len(later) == 0 {
		return due, time.Time{}, nil
	}

	return due, later[0].Next, nil
}

// SavePush saves the outcome of an attempt.
func (s *Store) SavePush(ctx context.Context, p *Push) error {
	if err := s.db.Write.WithContext(ctx).Save(p).Error; err != nil {
		return fmt.Errorf("push %d: %w", p.ID, err)
	}

	return nil
}

// Postpone postpones pending pushes.
func (s *Store) Postpone(ctx context.Context, ids []uint64, until time.Time) error {
	err := s.db.Write.WithContext(ctx).Model(&Push{}).Where("id IN ? AND state = ?", ids, PushPending).Update("next", until.UTC()).Error
	if err != nil {
		return fmt.Errorf("pushes: %w", err)
	}

	return nil
}

// Pushes returns pushes, the newest first: all, or those before a number that is not 0.
func (s *Store) Pushes(ctx context.Context, before uint64, limit int) ([]*Push, error) {
	query := s.db.Read.WithContext(ctx)
	if before > 0 {
		query = query.Where("id < ?", before)
	}

	var pushes []*Push
	if err := query.Order("id DESC").Limit(limit).Find(&pushes).Error; err != nil {
		return nil, fmt.Errorf("pushes: %w", err)
	}

	return pushes, nil
}

// ForgetPushes deletes finished pushes that are older than a time.
func (s *Store) ForgetPushes(ctx context.Context, before time.Time) error {
	return s.db.Update(ctx, func(tx *gorm.DB) error {
		return tx.Where("state <> ? AND finished < ?", PushPending, before.UTC()).Delete(&Push{}).Error
	})
}

// everyUser is the User-Name of a PPR to an AAA server about all users (TS 29.273 §8.1.2.4.1.1).
const everyUser = "*"

// resetIndication is the bit of PPR-Flags for that, and restoration the feature of AAA servers that know it (TS 29.273 §8.2.3.16,
// §8.2.3.17).
const resetIndication, restoration = 1 << 0, 1 << 0

// queueResets queues an RSR to each MME that holds data of a SIM, and a PPR to each AAA server that can restore what it has reported:
// recent reports of theirs may be lost (TS 29.272 §5.2.4, TS 29.273 §8.1.2.4.1).
func queueResets(db *gorm.DB) error {
	var holders []Location

	err := db.Model(&PrivateIdentity{}).Distinct("mme_host AS host", "mme_realm AS realm").
		Where("mme_host <> '' AND NOT mme_purged").Scan(&holders).Error
	if err != nil {
		return err
	}

	var servers []AAAServer

	err = db.Model(&PrivateIdentity{}).Distinct("aaa_host AS host", "aaa_realm AS realm").
		Where("aaa_registered AND (aaa_features & ?) <> 0", restoration).Scan(&servers).Error
	if err != nil || len(holders)+len(servers) == 0 {
		return err
	}

	now := time.Now().UTC()

	var pushes []*Push

	for _, mme := range holders {
		pushes = append(pushes, &Push{
			Command: RSR, ServerHost: mme.Host, ServerRealm: mme.Realm, Created: now, State: PushPending, Next: now,
		})
	}

	for _, aaa := range servers {
		pushes = append(pushes, &Push{
			Command: SWxPPR, ServerHost: aaa.Host, ServerRealm: aaa.Realm, IMSI: everyUser, Reason: resetIndication,
			Created: now, State: PushPending, Next: now,
		})
	}

	return db.CreateInBatches(pushes, 200).Error
}
