package subscriber

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// same compares the cache with the database.
func same(t interface{ Fatalf(string, ...any) }, s *Store, id uint64, private, public string) {
	remembered, _ := s.remembered(private, public)
	if remembered.Subscription == nil {
		return
	}

	var stored *Subscription
	err := s.View(context.Background(), func(tx *Tx) (err error) {
		stored, err = tx.subscription(id)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		t.Fatalf("%s is remembered and was deleted", private)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	if diff := cmp.Diff(stored, remembered.Subscription, ignore); diff != "" {
		t.Fatalf("remembered otherwise than stored: %s", diff)
	}
}

// Whatever is done in whatever order, the cache equals the database.
func TestWhatIsRememberedIsWhatIsStored(t *testing.T) {
	s := opened(t, configuration(t))
	errUndo := errors.New("undo")

	if err := flag.Set("rapid.checks", "15"); err != nil { // each goes to the disk a hundred times
		t.Fatal(err)
	}

	rapid.Check(t, func(rt *rapid.T) {
		subscription := alice(s)
		if err := s.Update(t.Context(), func(tx *Tx) error { return tx.Save(subscription) }); err != nil {
			rt.Fatalf("%v", err)
		}
		id, private, public := subscription.ID, "001@home", "tel:+15550001"

		change := func(f func(*Tx, Identities) error) func(*rapid.T) {
			return func(rt *rapid.T) {
				fails := rapid.Bool().Draw(rt, "fails")
				err := s.Update(t.Context(), func(tx *Tx) error {
					who, err := tx.Identities(private, public)
					if err != nil || who.Private == nil {
						return errors.Join(err, errUndo)
					}
					if err := f(tx, who); err != nil {
						return err
					}
					if fails {
						return errUndo
					}
					return nil
				})
				if err != nil && !errors.Is(err, errUndo) {
					rt.Fatalf("%v", err)
				}
			}
		}
		registration := func(f func(Identities)) func(*rapid.T) {
			return change(func(tx *Tx, who Identities) error {
				f(who)
				return tx.SaveRegistration(who.Subscription)
			})
		}

		rt.Repeat(map[string]func(*rapid.T){
			"":       func(rt *rapid.T) { same(rt, s, id, private, public) },
			"lookup": func(*rapid.T) { _, _ = s.Identities(t.Context(), private, public) },
			"pend": registration(func(who Identities) {
				who.Set.AuthenticationBegun(who.Private)
				who.Subscription.Reassign("sip:s", "s")
			}),
			"other": registration(func(who Identities) { who.Subscription.Reassign("sip:other", "other") }),
			"register": registration(func(who Identities) {
				who.Set.Register(who.Private)
				who.Subscription.Assign("sip:s", "s")
			}),
			"deregister": registration(func(who Identities) { who.Set.Deregister(who.Private); who.Subscription.Release() }),
			"keep":       registration(func(who Identities) { who.Set.MarkUnregistered() }),
			"vectors": change(func(tx *Tx, who Identities) error {
				if err := tx.SaveRegistration(who.Subscription); err != nil {
					return err
				}
				_, err := tx.NextSQN(who.Subscription, who.Private, Cx, 2)
				return err
			}),
			"vectors for an MME": change(func(tx *Tx, who Identities) error {
				_, err := tx.NextSQN(who.Subscription, who.Private, S6a, 2)
				return err
			}),
			"attach": change(func(tx *Tx, who Identities) error {
				who.Private.MME = Location{Host: "mme", Realm: "epc", PLMN: "001-01", Purged: !who.Private.MME.Purged}
				return tx.SaveLocation(who.Subscription, who.Private)
			}),
			"resynchronise": change(func(tx *Tx, who Identities) error { return tx.SetSQN(who.Private, who.Private.SQN+640) }),
			"provision": change(func(tx *Tx, who Identities) error {
				who.Public.DisplayName += "x"
				return tx.Save(who.Subscription)
			}),
		})

		err := s.Update(t.Context(), func(tx *Tx) error { return tx.Delete(subscription) })
		if err != nil {
			rt.Fatalf("%v", err)
		}
		if who, err := s.Identities(t.Context(), private, public); err != nil || who.Private != nil {
			rt.Fatalf("deleted, but still %+v, %v", who, err)
		}
	})
}

func TestReadersAndWritersTogether(t *testing.T) {
	s := opened(t, configuration(t))
	save(t, s, alice(s))

	var all sync.WaitGroup

	for worker := range 4 {
		all.Go(func() {
			for i := range 50 {
				_ = s.Update(t.Context(), func(tx *Tx) error {
					who, err := tx.Identities("001@home", "sip:001@home")
					if err != nil {
						return err
					}
					who.Subscription.Assign(fmt.Sprintf("sip:%d-%d", worker, i), "s")
					return tx.SaveRegistration(who.Subscription)
				})
			}
		})
		all.Go(func() {
			for range 200 {
				who, err := s.Identities(t.Context(), "001@home", "sip:001@home")
				if err != nil || who.Private == nil {
					t.Errorf("%+v, %v", who, err)
				}
				who.Subscription.ServerName = "a reader's own copy"
			}
		})
	}
	all.Wait()

	same(t, s, 1, "001@home", "sip:001@home")
}

// A reader overtaken by a commit must not put its outdated result into the cache.
func TestAnOvertakenReaderRemembersNothing(t *testing.T) {
	c := newCache()
	before := &Subscription{ID: 1, ServerName: "sip:before", Private: []*PrivateIdentity{{Identity: "a"}}}
	after := &Subscription{ID: 1, ServerName: "sip:after", Private: before.Private}

	_, generation := c.find("a", "")
	c.committed(&Tx{moved: []*Subscription{after}})
	c.put(before, generation)
	if s, _ := c.find("a", ""); s == nil || s.ServerName != "sip:after" {
		t.Errorf("remembered: %+v", s)
	}

	_, generation = c.find("b", "")
	c.committed(&Tx{provisioned: true})
	c.put(before, generation)
	if s, _ := c.find("a", ""); s != nil {
		t.Errorf("remembered after provisioning: %+v", s)
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	c := newCache()
	for i := range uint64(cacheLimit + 100) {
		name := fmt.Sprint(i)
		c.put(&Subscription{
			ID: i + 1, Private: []*PrivateIdentity{{Identity: name}},
			Sets: []*RegistrationSet{{Public: []*PublicIdentity{{Identity: "sip:" + name}}}},
		}, 0)
	}

	if len(c.byID) != cacheLimit || len(c.private) != cacheLimit || len(c.public) != cacheLimit {
		t.Errorf("%d subscriptions, %d private and %d public identities, want %d", len(c.byID), len(c.private), len(c.public), cacheLimit)
	}
	if s, _ := c.find(fmt.Sprint(cacheLimit+99), ""); s == nil {
		t.Error("the newest is not there")
	}
}

func TestAFileIsForOneHSS(t *testing.T) {
	c := configuration(t)
	s := open(t, c)

	if _, err := Open(t.Context(), c, slog.New(slog.DiscardHandler)); err == nil ||
		!strings.Contains(err.Error(), "two HSSs need PostgreSQL") {
		t.Errorf("a second HSS on the file: %v", err)
	}

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, c).Close()
}
