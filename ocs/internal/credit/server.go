package credit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/ocs/internal/ledger"
	"github.com/dialtone-ims/dialtone/ocs/internal/rating"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

// Config says how much is granted at a time and for how long.
type Config struct {
	Quota       time.Duration `yaml:"quota"`        // granted when the request names no amount
	MaxQuota    time.Duration `yaml:"max_quota"`    // granted at most
	Threshold   time.Duration `yaml:"threshold"`    // Time-Quota-Threshold; 0 leaves it to the network function
	Validity    time.Duration `yaml:"validity"`     // Validity-Time of a grant
	Supervision time.Duration `yaml:"supervision"`  // Tcc: a session without a word for validity and this is closed
	KeepReplies time.Duration `yaml:"keep_replies"` // for requests that come again
	Tariff      string        `yaml:"tariff"`       // of accounts that name none
	Currency    uint32        `yaml:"currency"`     // ISO 4217 number, for Cost-Information
	Digits      int32         `yaml:"digits"`       // decimals of a minor unit
}

// DefaultConfig is right for the lab.
func DefaultConfig() Config {
	return Config{
		Quota: time.Minute, MaxQuota: time.Hour, Validity: time.Hour, Supervision: 5 * time.Minute,
		KeepReplies: 24 * time.Hour, Tariff: "standard", Currency: 978, Digits: 2,
	}
}

// Validate refuses what cannot work.
func (c *Config) Validate() error {
	switch {
	case c.Quota < time.Second || c.MaxQuota < c.Quota:
		return errors.New("credit: quota must be a second or more, max_quota not below it")
	case c.Threshold < 0 || c.Threshold >= c.Quota:
		return errors.New("credit.threshold: must be below quota")
	case c.Validity < time.Second || c.Supervision < time.Second || c.KeepReplies < time.Minute:
		return errors.New("credit: validity, supervision and keep_replies are too short")
	case c.Digits < 0 || c.Digits > 9:
		return errors.New("credit.digits: between 0 and 9")
	}

	return nil
}

// Server answers credit-control requests.
type Server struct {
	config Config
	store  *ledger.Store
	log    *slog.Logger
	moved  *prometheus.CounterVec
	closed prometheus.Counter
	again  prometheus.Counter
}

// NewServer keeps its sessions in the ledger's store.
func NewServer(c Config, store *ledger.Store, log *slog.Logger, registerer prometheus.Registerer) *Server {
	s := &Server{
		config: c, store: store, log: log,
		moved:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dialtone_ocs_minor_units_total", Help: "Money moved, by kind of movement."}, []string{"kind"}),
		closed: prometheus.NewCounter(prometheus.CounterOpts{Name: "dialtone_ocs_sessions_supervised_total", Help: "Sessions closed because nothing was heard."}),
		again:  prometheus.NewCounter(prometheus.CounterOpts{Name: "dialtone_ocs_repeated_requests_total", Help: "Requests that came again and moved no money."}),
	}
	registerer.MustRegister(s.moved, s.closed, s.again,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "dialtone_ocs_ledger_imbalance", Help: "Sum of all balances; anything but 0 is a fault."}, func() float64 {
			balances, _, err := store.Sum(context.Background())
			if err != nil {
				return -1
			}
			return float64(balances)
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "dialtone_ocs_sessions", Help: "Charging sessions open."}, func() float64 {
			var n int64
			_ = store.Read(context.Background()).Model(&Session{}).Count(&n).Error
			return float64(n)
		}))

	return s
}

// CreditControl answers one CCR. What is wrong with the request, or with the user's credit, is an answer; an error is ours.
func (s *Server) CreditControl(ctx context.Context, q *ro.CCR) (*ro.CCA, error) {
	var answer *ro.CCA

	err := s.store.Update(ctx, func(tx ledger.Tx) error {
		kept, err := replied(tx, q)
		if err != nil {
			return err
		}

		if kept != nil {
			s.again.Inc()
			answer = kept

			return nil
		}

		if answer, err = s.decide(tx, q); err != nil {
			return err
		}

		answer.Type, answer.Number = q.Type, q.Number

		return remember(tx, q, answer)
	})
	if err != nil {
		var refused *diameter.Error
		if errors.As(err, &refused) { // nothing has happened, and nothing is remembered
			return nil, refused
		}

		return nil, fmt.Errorf("CCR %s/%d: %w", q.SessionID, q.Number, err)
	}

	return answer, nil
}

func replied(tx ledger.Tx, q *ro.CCR) (*ro.CCA, error) {
	r := new(Reply)

	err := tx.Where("session = ? AND type = ? AND number = ?", q.SessionID, uint32(q.Type), q.Number).Take(r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	}

	if err != nil {
		return nil, err
	}

	answer := new(ro.CCA)

	return answer, json.Unmarshal([]byte(r.Answer), answer)
}

func remember(tx ledger.Tx, q *ro.CCR, answer *ro.CCA) error {
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}

	return tx.Create(&Reply{Session: q.SessionID, Type: uint32(q.Type), Number: q.Number, Answer: string(text), At: time.Now()}).Error
}

// decide is the table of RFC 8506 §7: what each type of request does to a session in each state.
func (s *Server) decide(tx ledger.Tx, q *ro.CCR) (*ro.CCA, error) {
	if q.Type == ro.Event {
		return s.event(tx, q)
	}

	session := new(Session)
	err := tx.Where("id = ?", q.SessionID).Take(session).Error
	open := err == nil

	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, err
	}

	if open {
		if err := json.Unmarshal([]byte(session.Rate), &session.rate); err != nil {
			return nil, err
		}
	}

	switch {
	case q.Type == ro.Initial && !open:
		return s.initial(tx, q)
	case q.Type == ro.Initial:
		return refused(ro.InvalidAVPValue, "the session has begun already"), nil
	case !open:
		return refused(ro.UnknownSessionID, "there is no such session"), nil
	case q.Number <= session.Number:
		return refused(ro.InvalidAVPValue, "CC-Request-Number goes back"), nil
	case q.Type == ro.Update:
		return s.update(tx, q, session)
	default:
		return s.terminate(tx, q, session, "terminated")
	}
}

func refused(result diameter.Result, text string) *ro.CCA {
	a := &ro.CCA{}
	a.Result, a.ErrorMessage = result, text

	return a
}

// payer finds who pays and by which price list.
func (s *Server) payer(tx ledger.Tx, q *ro.CCR) (*ledger.Account, *rating.Tariff, *ro.CCA, error) {
	account, err := tx.Payer(identities(q))

	switch {
	case errors.Is(err, ledger.ErrUnknown):
		return nil, nil, refused(ro.UserUnknown, err.Error()), nil
	case err != nil:
		return nil, nil, nil, err
	case account.Blocked:
		return nil, nil, refused(ro.EndUserServiceDenied, "the account is blocked"), nil
	}

	name := account.Tariff
	if name == "" {
		name = s.config.Tariff
	}

	tariff, err := load(tx, name)

	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return nil, nil, refused(ro.RatingFailed, "there is no tariff "+name), nil
	case err != nil:
		return nil, nil, nil, err
	}

	return account, tariff, nil, nil
}

func load(tx ledger.Tx, name string) (*rating.Tariff, error) {
	stored := new(StoredTariff)
	if err := tx.Where("name = ?", name).Take(stored).Error; err != nil {
		return nil, err
	}

	t := &rating.Tariff{Name: name}

	return t, json.Unmarshal([]byte(stored.Rates), &t.Rates)
}

// identities are those of Subscription-Id, and of Service-Information, as the ledger names them.
func identities(q *ro.CCR) []string {
	all := q.Subscriptions
	if q.ServiceInformation != nil {
		all = append(all[:len(all):len(all)], q.ServiceInformation.SubscriptionIDs...)
	}

	var uris []string

	for _, id := range all {
		switch id.Type {
		case ro.E164:
			uris = append(uris, "tel:+"+trimPlus(id.Data))
		case ro.IMSI:
			uris = append(uris, "imsi:"+id.Data)
		case ro.SIPURI:
			if canonical, err := ims.CanonicalIdentity(id.Data); err == nil {
				uris = append(uris, canonical)
			}
		default:
			uris = append(uris, id.Data)
		}
	}

	return uris
}

func trimPlus(s string) string {
	if len(s) > 0 && s[0] == '+' {
		return s[1:]
	}

	return s
}

func information(q *ro.CCR) ro.IMSInformation {
	if q.ServiceInformation == nil || q.ServiceInformation.IMS == nil {
		return ro.IMSInformation{}
	}

	return *q.ServiceInformation.IMS
}

func first(all []string) string {
	if len(all) == 0 {
		return ""
	}

	return all[0]
}

// called is the number that is rated: the digits of a tel or sip URI, or the URI itself where it has none.
func called(info ro.IMSInformation) string {
	if number := ims.Number(info.CalledPartyAddress); number != "" {
		return number
	}

	return info.CalledPartyAddress
}
