package subscriber

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhoIsToldOfAProfile(t *testing.T) { eachDatabase(t, whoIsToldOfAProfile) }

func whoIsToldOfAProfile(t *testing.T, c Config) {
	s := opened(t, c)
	telephony, other := &ServiceProfile{Name: "telephony"}, &ServiceProfile{Name: "other"}

	user := func(name string, profile *ServiceProfile, state func(*RegistrationSet, []*PrivateIdentity)) {
		t.Helper()

		privates := []*PrivateIdentity{{Identity: name + "-1@home", Scheme: SIPDigest}, {Identity: name + "-2@home", Scheme: SIPDigest}}
		set := &RegistrationSet{
			Number: 1, Registrations: []*Registration{{Private: privates[0]}, {Private: privates[1]}},
			Public: []*PublicIdentity{
				{Identity: "sip:" + name + "@home", Kind: User},
				{Identity: "sip:" + name + "-second@home", Kind: User, ProfileID: profile.ID},
			},
		}
		state(set, privates)
		save(t, s, &Subscription{Name: name, Private: privates, Sets: []*RegistrationSet{set}, ServerName: "sip:s", ServerHost: "s.home"})
	}

	err := s.Update(t.Context(), func(tx *Tx) error {
		if err := tx.SaveProfile(telephony); err != nil {
			return err
		}
		return tx.SaveProfile(other)
	})
	if err != nil {
		t.Fatal(err)
	}

	user("both", telephony, func(set *RegistrationSet, p []*PrivateIdentity) { set.Register(p[0]); set.Register(p[1]) })
	user("tablet", telephony, func(set *RegistrationSet, p []*PrivateIdentity) { set.Register(p[1]) })
	user("kept", telephony, func(set *RegistrationSet, _ []*PrivateIdentity) { set.MarkUnregistered() })
	user("away", telephony, func(*RegistrationSet, []*PrivateIdentity) {})
	user("pending", telephony, func(set *RegistrationSet, p []*PrivateIdentity) { set.AuthenticationBegun(p[0]) })
	user("else", other, func(set *RegistrationSet, p []*PrivateIdentity) { set.Register(p[0]) })

	if err := s.Update(t.Context(), func(tx *Tx) error { return tx.QueueProfile(telephony) }); err != nil {
		t.Fatal(err)
	}

	due, next, err := s.Due(t.Context(), time.Now(), 100, Except{})
	if err != nil || !next.IsZero() {
		t.Fatalf("%v, %v", next, err)
	}

	var got []string
	for _, p := range due {
		got = append(got, fmt.Sprint(p.Command, p.ServerHost, p.PrivateIdentity, p.PublicIdentities))
	}
	want := []string{
		fmt.Sprint(PPR, "s.home", "both-1@home", []string{"sip:both@home"}),
		fmt.Sprint(PPR, "s.home", "tablet-2@home", []string{"sip:tablet@home"}),
		fmt.Sprint(PPR, "s.home", "kept-1@home", []string{"sip:kept@home"}),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheQueueOfPushes(t *testing.T) { eachDatabase(t, theQueueOfPushes) }

func theQueueOfPushes(t *testing.T, c Config) {
	s := opened(t, c)

	if err := s.Update(t.Context(), func(tx *Tx) error {
		for i := range 3 {
			if err := tx.Queue(&Push{Command: RTR, PrivateIdentity: fmt.Sprint(i)}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}

	now := time.Now().Add(time.Second)
	due, _, err := s.Due(t.Context(), now, 2, Except{})
	if err != nil || len(due) != 2 || due[0].PrivateIdentity != "0" {
		t.Fatalf("%+v, %v", due, err)
	}

	due[0].State, due[0].Finished = PushDelivered, now.UTC()
	due[1].Next = now.Add(time.Hour).UTC().Truncate(time.Millisecond)
	for _, p := range due {
		if err := s.SavePush(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}

	left, next, err := s.Due(t.Context(), now, 100, Except{})
	if err != nil || len(left) != 1 || left[0].PrivateIdentity != "2" || !next.Equal(due[1].Next) {
		t.Errorf("due %+v, next %v, %v", left, next, err)
	}

	if err := s.Postpone(t.Context(), []uint64{due[0].ID, left[0].ID}, now.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}

	due, _, err = s.Due(t.Context(), now.Add(90*time.Minute), 100, Except{})
	if err != nil || len(due) != 1 || due[0].PrivateIdentity != "1" {
		t.Errorf("after the last one is put off: %+v, %v", due, err)
	}

	if err := s.ForgetPushes(t.Context(), now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	all, err := s.Pushes(t.Context(), 0, 100)
	if err != nil || len(all) != 2 || all[0].PrivateIdentity != "2" {
		t.Errorf("after the finished ones are forgotten: %+v, %v", all, err)
	}
}
