package shdata

import (
	"fmt"
	"strings"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
	"github.com/dialtone-ims/dialtone/pkg/ifc"
)

// repository returns the transparent data of a service (TS 29.328 §7.6.1).
func repository(tx *subscriber.Tx, q Query) (*sh.Data, bool, error) {
	stored, err := tx.Repository(q.Set.Owner(q.Public), q.Service)
	if err != nil || stored == nil {
		return new(sh.Data), false, err
	}

	return &sh.Data{Repository: []sh.RepositoryData{{
		ServiceIndication: stored.Service, SequenceNumber: stored.Sequence, ServiceData: stored.Data,
	}}}, true, nil
}

// filterCriteria returns the criteria of an identity by which its requests go to the application server that asks (TS 29.328 §7.6.5).
func filterCriteria(tx *subscriber.Tx, q Query) (*sh.Data, bool, error) {
	if err := tx.Profiles(q.Subscription); err != nil {
		return nil, false, err
	}

	data := &sh.Data{IMS: &sh.IMSData{IFCs: new(sh.IFCs)}}

	profile := q.Public.Profile
	if profile == nil {
		return data, false, nil
	}

	shared, err := tx.SharedSets(profile.SharedSets)
	if err != nil {
		return nil, false, err
	}

	texts := []string{profile.FilterCriteria}

	for _, number := range profile.SharedSets {
		if set := shared[number]; set != nil {
			texts = append(texts, set.FilterCriteria)
		}
	}

	for _, text := range texts {
		criteria, _, err := ifc.ParseCriteria([]byte(text))
		if err != nil {
			return nil, false, fmt.Errorf("service profile %s: %w", profile.Name, err)
		}

		for _, c := range criteria {
			if strings.EqualFold(strings.TrimSpace(c.ApplicationServer.ServerName), q.Server) {
				data.IMS.IFCs.Criteria = append(data.IMS.IFCs.Criteria, c)
			}
		}
	}

	return data, len(data.IMS.IFCs.Criteria) > 0, nil
}
