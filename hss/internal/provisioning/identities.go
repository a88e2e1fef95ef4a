package provisioning

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// PlacedIdentity is a public identity with its registration set.
type PlacedIdentity struct {
	RegistrationSet int `json:"registration_set"`
	PublicIdentity
}

// publicIdentityList is the public identities of a subscriber.
type publicIdentityList struct {
	PublicIdentities []PlacedIdentity `json:"public_identities"`
}

func (a *API) listPublic(w http.ResponseWriter, r *http.Request) error {
	list := publicIdentityList{PublicIdentities: []PlacedIdentity{}}

	err := a.store.View(r.Context(), func(tx *subscriber.Tx) error {
		s, err := a.named(tx, r)
		if err != nil {
			return err
		}

		for _, set := range s.Sets {
			for _, p := range set.Public {
				list.PublicIdentities = append(list.PublicIdentities, PlacedIdentity{set.Number, showPublic(p)})
			}
		}

		return nil
	})
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, list)
}

// exact finds an identity as written, including wildcarded ones.
func exact(s *subscriber.Subscription, identity string) (*subscriber.PublicIdentity, *subscriber.RegistrationSet) {
	for _, set := range s.Sets {
		for _, p := range set.Public {
			if p.Identity == identity {
				return p, set
			}
		}
	}

	return nil, nil
}

func (a *API) readPublic(w http.ResponseWriter, r *http.Request) error {
	identity, err := canonical(r.PathValue("identity"))
	if err != nil {
		return err
	}

	var shown PlacedIdentity

	err = a.store.View(r.Context(), func(tx *subscriber.Tx) error {
		s, err := a.named(tx, r)
		if err != nil {
			return err
		}

		p, set := exact(s, identity)
		if p == nil {
			return noIdentity(identity, s.Name)
		}

		shown = PlacedIdentity{set.Number, showPublic(p)}

		return nil
	})
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusOK, shown)
}

// putPublic creates or changes one public identity. Without a set number it stays where it is, or joins the first set.
func (a *API) putPublic(w http.ResponseWriter, r *http.Request) error {
	body, err := httpapi.Decode[PlacedIdentity](r)
	if err != nil {
		return err
	}

	identity, err := canonical(r.PathValue("identity"))
	if err != nil {
		return err
	}

	if body.Identity != "" && body.Identity != identity {
		return problem("identity", "%s is not the %s of the path", body.Identity, identity)
	}

	body.Identity = identity
	status := http.StatusOK

	err = a.change(r.Context(), func(tx *subscriber.Tx) error {
		s, err := a.named(tx, r)
		if err != nil {
			return err
		}

		document := show(s)

		_, at := exact(s, identity)
		if at == nil {
			status = http.StatusCreated
		}

		if body.RegistrationSet == 0 {
			body.RegistrationSet = s.Sets[0].Number
			if at != nil {
				body.RegistrationSet = at.Number
			}
		}

		place(&document, body)

		if _, err = replace(tx, s, document); err != nil {
			return err
		}

		p, set := exact(s, identity)
		body = PlacedIdentity{set.Number, showPublic(p)}

		return nil
	})
	if err != nil {
		return err
	}

	return httpapi.Write(w, status, body)
}

// place puts the identity into its set, in its old position if it was there.
func place(document *Subscriber, placed PlacedIdentity) {
	found := false

	for i := range document.RegistrationSets {
		set := &document.RegistrationSets[i]
		position := slices.IndexFunc(set.PublicIdentities, func(p PublicIdentity) bool { return p.Identity == placed.Identity })

		switch {
		case set.Number == placed.RegistrationSet && position >= 0:
			set.PublicIdentities[position], found = placed.PublicIdentity, true
		case set.Number == placed.RegistrationSet:
			set.PublicIdentities, found = append(set.PublicIdentities, placed.PublicIdentity), true
		case position >= 0:
			set.PublicIdentities = slices.Delete(set.PublicIdentities, position, position+1)
		}
	}

	if !found {
		document.RegistrationSets = append(document.RegistrationSets,
			RegistrationSet{Number: placed.RegistrationSet, PublicIdentities: []PublicIdentity{placed.PublicIdentity}})
	}

	document.RegistrationSets = slices.DeleteFunc(
		document.RegistrationSets,
		func(s RegistrationSet) bool { return len(s.PublicIdentities) == 0 },
	)

	for i := range document.PrivateIdentities { // a new set is for those who may use all others; an emptied one for nobody
		p := &document.PrivateIdentities[i]
		p.RegistrationSets = slices.DeleteFunc(p.RegistrationSets, func(number int) bool {
			return !slices.ContainsFunc(document.RegistrationSets, func(s RegistrationSet) bool { return s.Number == number })
		})

		if !found {
			p.RegistrationSets = append(p.RegistrationSets, placed.RegistrationSet)
		}
	}
}

func (a *API) deletePublic(w http.ResponseWriter, r *http.Request) error {
	identity, err := canonical(r.PathValue("identity"))
	if err != nil {
		return err
	}

	err = a.change(r.Context(), func(tx *subscriber.Tx) error {
		s, err := a.named(tx, r)
		if err != nil {
			return err
		}

		if p, _ := exact(s, identity); p == nil {
			return noIdentity(identity, s.Name)
		}

		document := show(s)
		for i := range document.RegistrationSets {
			set := &document.RegistrationSets[i]
			set.PublicIdentities = slices.DeleteFunc(set.PublicIdentities, func(p PublicIdentity) bool { return p.Identity == identity })
		}

		document.RegistrationSets = slices.DeleteFunc(
			document.RegistrationSets,
			func(s RegistrationSet) bool { return len(s.PublicIdentities) == 0 },
		)
		if len(document.RegistrationSets) == 0 {
			return problem("identity", "%s is the last one of %s: delete the subscriber", identity, s.Name)
		}

		for i := range document.PrivateIdentities {
			p := &document.PrivateIdentities[i]
			p.RegistrationSets = slices.DeleteFunc(p.RegistrationSets, func(number int) bool {
				return !slices.ContainsFunc(document.RegistrationSets, func(s RegistrationSet) bool { return s.Number == number })
			})
		}

		_, err = replace(tx, s, document)

		return err
	})
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusNoContent, nil)
}

// Keys are the secrets of a private identity, shown only on explicit request.
type Keys struct {
	Identity string `json:"identity"`
	Authentication
}

// readKeys shows the secrets: both OP and OPc, and which of them was entered, because confusing them is the commonest fault of a lab
// (open5gs#337, open5gs#1796).
func (a *API) readKeys(w http.ResponseWriter, r *http.Request) error {
	var keys Keys

	err := a.store.View(r.Context(), func(tx *subscriber.Tx) error {
		s, err := a.bare(tx, r)
		if err != nil {
			return err
		}

		p := s.PrivateNamed(r.PathValue("identity"))
		if p == nil {
			return noIdentity(r.PathValue("identity"), s.Name)
		}

		secrets, err := tx.Secrets(p)
		keys = Keys{p.Identity, Authentication{
			Scheme:    p.Scheme,
			Algorithm: p.Algorithm,
			Entered:   p.Operator,
			AMF:       p.AMF,
			RES:       p.RES,
			Keccak:    p.Keccak,
			Password:  string(secrets.Password),
			K:         hex.EncodeToString(secrets.K),
			OP:        hex.EncodeToString(secrets.OP),
			OPc:       hex.EncodeToString(secrets.OPc),
		}}

		if p.Scheme == subscriber.AKA {
			keys.SQN = fmt.Sprintf("%012x", p.SQN)
		}

		return err
	})
	if err != nil {
		return err
	}

	w.Header().Set("Cache-Control", "no-store")

	return httpapi.Write(w, http.StatusOK, keys)
}

func (a *API) putKeys(w http.ResponseWriter, r *http.Request) error {
	body, err := httpapi.Decode[Authentication](r)
	if err != nil {
		return err
	}

	err = a.change(r.Context(), func(tx *subscriber.Tx) error {
		s, err := a.named(tx, r)
		if err != nil {
			return err
		}

		p := s.PrivateNamed(r.PathValue("identity"))
		if p == nil {
			return noIdentity(r.PathValue("identity"), s.Name)
		}

		if err := authenticate(tx, p, body); err != nil {
			return err
		}

		return tx.Save(s)
	})
	if err != nil {
		return err
	}

	return httpapi.Write(w, http.StatusNoContent, nil)
}
