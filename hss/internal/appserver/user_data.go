package appserver

import (
	"context"
	"fmt"
	"strings"

	"github.com/dialtone-ims/dialtone/hss/internal/shdata"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
)

// userData answers a UDR (Sh-Pull, TS 29.328 §6.1.1.1). Numbers are the steps there.
func (s *Server) userData(ctx context.Context, req *sh.UDR) (*sh.UDA, error) {
	answer := new(sh.UDA)

	err := func() error {
		reference, err := only(req.References)
		if err != nil {
			return err
		}

		if !s.permission(req.OriginHost).read[reference] { // 1
			return refused(sh.ErrorUserDataCannotBeRead, "%s may not read Data-Reference %d", req.OriginHost, reference)
		}

		return s.store.View(ctx, func(tx *subscriber.Tx) error {
			q, err := find(tx, named(req.User, req.WildcardedPSI, req.WildcardedIMPU), req.UserName, reference) // 2, 2a, 3
			if err != nil {
				return err
			}

			q.Domain, q.Nodes = req.Domain, req.Nodes
			if err := keys(&q, req.Services, req.ServerName, req.IdentitySets, req.DSAITags); err != nil {
				return err
			}

			data, there, err := shdata.Of(tx, q) // 5
			if err != nil || !there {
				return err
			}

			answer.UserData, err = data.Marshal()

			return err
		})
	}()
	if err != nil {
		return nil, fmt.Errorf("UDR of %s: %w", req.OriginHost, err)
	}

	return answer, nil
}

// named returns the identity of a request, in which a wildcarded one takes precedence.
func named(user sh.UserIdentity, psi, impu string) sh.UserIdentity {
	switch {
	case psi != "":
		return sh.UserIdentity{PublicIdentity: psi}
	case impu != "":
		return sh.UserIdentity{PublicIdentity: impu}
	default:
		return user
	}
}

// keys adds what else is needed to find data, and returns an error if it is missing (TS 29.328 table 7.6.1).
func keys(q *shdata.Query, services []string, server string, sets []sh.IdentitySet, tags []string) error {
	missing := func(name string, example *sh.FailedAVP) error {
		return &diameter.Error{Result: diameter.MissingAVP, Message: name + " is needed with this Data-Reference", Failed: example}
	}

	tooMany := func(name string, failed *sh.FailedAVP) error {
		return &diameter.Error{Result: diameter.AVPOccursTooManyTimes, Message: "one " + name + " at a time", Failed: failed}
	}

	switch q.Reference {
	case sh.ReferenceRepositoryData:
		if len(services) == 0 || services[0] == "" {
			return missing("Service-Indication", &sh.FailedAVP{Services: []string{"service"}})
		}

		if len(services) > 1 {
			return tooMany("Service-Indication", &sh.FailedAVP{Services: services[1:2]})
		}

		q.Service = services[0]
	case sh.ReferenceFilterCriteria:
		if server == "" {
			return missing("Server-Name", &sh.FailedAVP{ServerName: "sip:as.example.org"})
		}

		if len(server) > longestServer {
			return &diameter.Error{
				Result: diameter.InvalidAVPValue, Message: "Server-Name is longer than any SIP URI", Failed: &sh.FailedAVP{ServerName: server},
			}
		}

		q.Server = server
	case sh.ReferenceDSAI:
		if len(tags) == 0 {
			return missing("DSAI-Tag", &sh.FailedAVP{DSAITags: []string{"tag"}})
		}
	case sh.ReferenceIMSPublicIdentity:
		if len(sets) > 1 {
			return tooMany("Identity-Set", &sh.FailedAVP{IdentitySets: sets[1:2]})
		}

		if len(sets) == 1 {
			q.IdentitySet = sets[0]
		}
	}

	return nil
}

// longestServer is the most octets of a Server-Name: it is kept for as long as somebody watches it.
const longestServer = 1024

func trimmed(msisdn string) string { return strings.TrimPrefix(msisdn, "+") }
