package appserver

import (
	"context"
	"fmt"

	"github.com/dialtone-ims/dialtone/hss/internal/shdata"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/cx"
	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
)

// profileUpdate answers a PUR (Sh-Update, TS 29.328 §6.1.2.1). Numbers are the steps there. All changes are made, or none.
func (s *Server) profileUpdate(ctx context.Context, req *sh.PUR) (*sh.PUA, error) {
	err := func() error {
		reference, err := only(req.References)
		if err != nil {
			return err
		}

		if !s.permission(req.OriginHost).update[reference] { // 1
			return refused(sh.ErrorUserDataCannotBeModified, "%s may not update Data-Reference %d", req.OriginHost, reference)
		}

		return s.store.Update(ctx, func(tx *subscriber.Tx) error {
			q, err := find(tx, named(req.User, req.WildcardedPSI, req.WildcardedIMPU), req.UserName, reference) // 2, 2a, 3
			if err != nil {
				return err
			}

			if reference == sh.ReferenceDSAI { // 4a
				return noDSAI(q.Asked)
			}

			return s.updateRepository(tx, q, req)
		})
	}()
	if err != nil {
		return nil, fmt.Errorf("PUR of %s: %w", req.OriginHost, err)
	}

	return new(sh.PUA), nil
}

func noDSAI(identity string) error {
	return refused(sh.ErrorDSAINotAvailable, "%s has no dynamic service activation information", identity)
}

// failedService says because of which service nothing was changed (Repository-Data-ID, TS 29.329 §6.3.24).
type failedService struct {
	ID repositoryDataID `avp:"Repository-Data-ID"`
}

type repositoryDataID struct {
	Service  string `avp:"Service-Indication,required"`
	Sequence uint32 `avp:"Sequence-Number,required"`
}

func (s *Server) updateRepository(tx *subscriber.Tx, q shdata.Query, req *sh.PUR) error {
	changes, err := sh.ParseUpdate(req.UserData)

	switch {
	case err != nil:
		return &diameter.Error{Result: sh.ErrorUserDataNotRecognized, Message: err.Error(), Err: err}
	case len(changes) > 1 && !cx.Has(req.SupportedFeatures, featureUpdateEff):
		return refused(sh.ErrorUserDataNotRecognized, "several services in one PUR are for who announces Update-Eff")
	}

	for _, change := range changes { // 4c
		err := s.updateService(tx, q, change, s.permission(req.OriginHost).host)
		if err != nil && len(changes) > 1 {
			refusal := *diameter.ResultOf(err)
			refusal.Further = &failedService{repositoryDataID{change.ServiceIndication, uint32(change.SequenceNumber)}}

			return &refusal
		}

		if err != nil {
			return err
		}
	}

	return nil
}

// updateService makes one change (step 6); others that change the same data wait, so that there is never an update in progress (step 5).
func (s *Server) updateService(tx *subscriber.Tx, q shdata.Query, change sh.RepositoryData, by string) error {
	owner := q.Set.Owner(q.Public)

	stored, err := tx.Repository(owner, change.ServiceIndication)
	if err != nil {
		return err
	}

	services, err := tx.CountRepository(owner)
	if err != nil {
		return err
	}

	if err := s.policy.update(stored, change, int(services)); err != nil {
		return err
	}

	if change.ServiceData == nil {
		document, err := (&sh.Data{Repository: []sh.RepositoryData{
			{ServiceIndication: change.ServiceIndication, SequenceNumber: change.SequenceNumber},
		}}).Marshal()
		if err != nil {
			return err
		}

		if err := tx.RepositoryChanged(stored, by, document); err != nil {
			return err
		}

		return tx.DeleteRepository(stored)
	}

	if stored == nil {
		stored = &subscriber.RepositoryData{SubscriptionID: q.Subscription.ID, Owner: owner, Service: change.ServiceIndication}
	}

	stored.Sequence, stored.Data = change.SequenceNumber, change.ServiceData

	if err := tx.SaveRepository(stored); err != nil {
		return err
	}

	return tx.RepositoryChanged(stored, by, nil)
}

// longestService is the most octets of a Service-Indication.
const longestService = 255

// update decides whether repository data may become what a PUR says (TS 29.328 §6.1.2.1, step 6). stored is nil if there is none of the
// service; services is for how many there is some.
func (p *Policy) update(stored *subscriber.RepositoryData, change sh.RepositoryData, services int) error {
	number, of := change.SequenceNumber, change.ServiceIndication

	switch {
	case stored == nil && number != 0:
		return refused(sh.ErrorTransparentDataOutOfSync, "there is no data of %.40q: a new one has the Sequence-Number 0, not %d", of, number)
	case stored != nil && (number == 0 || number-1 != stored.Sequence%sh.MaxSequenceNumber):
		return refused(sh.ErrorTransparentDataOutOfSync, "the data of %.40q has the Sequence-Number %d: %d does not follow it",
			of, stored.Sequence, number)
	case stored == nil && change.ServiceData == nil:
		return refused(sh.ErrorOperationNotAllowed, "there is no data of %.40q to be deleted", of)
	case len(change.ServiceData) > p.MaxData:
		return refused(sh.ErrorTooMuchData, "ServiceData has %d octets, and sh.max_data is %d", len(change.ServiceData), p.MaxData)
	case stored == nil && (services >= p.MaxServices || len(of) > longestService):
		return refused(sh.ErrorTooMuchData, "there is data of %d services, and sh.max_services is %d; a name has at most %d octets",
			services, p.MaxServices, longestService)
	default:
		return nil
	}
}
