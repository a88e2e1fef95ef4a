package administration

import (
	"log/slog"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
	"github.com/dialtone-ims/dialtone/test/scratch"
)

// The effect of a change of a registered subscription on its S-CSCF: RTR for what was deleted, PPR for what it sees changed, nothing for
// what it does not see.
func TestWhatAChangeMeans(t *testing.T) {
	for _, test := range []struct {
		name     string
		change   func(*subscriber.Subscription)
		sets     []int
		privates []string
		want     []string // command and first public identity
	}{
		{name: "nothing", change: func(*subscriber.Subscription) {}, sets: []int{1, 2}, privates: []string{"a@home"}},
		{name: "keys", change: func(s *subscriber.Subscription) { s.Private[0].AMF = "8001" }, sets: []int{1, 2}, privates: []string{"a@home"}},
		{
			name: "a name", change: func(s *subscriber.Subscription) { s.Sets[1].Public[0].DisplayName = "Alice" },
			sets:     []int{1, 2},
			privates: []string{"a@home"},
			want:     []string{"PPR sip:two@home"},
		},
		{
			name: "barring", change: func(s *subscriber.Subscription) { s.Sets[0].Public[0].Barred = true },
			sets:     []int{1, 2},
			privates: []string{"a@home"},
			want:     []string{"PPR sip:one@home"},
		},
		{
			name: "charging", change: func(s *subscriber.Subscription) { s.Charging.PrimaryEventChargingFunction = "aaa://ocs" },
			sets:     []int{1, 2},
			privates: []string{"a@home"},
			want:     []string{"PPR sip:one@home", "PPR sip:two@home"},
		},
		{
			name:     "a set goes",
			change:   func(s *subscriber.Subscription) { s.Sets = s.Sets[:1] },
			sets:     []int{1},
			privates: []string{"a@home"},
			want:     []string{"RTR sip:two@home"},
		},
		{name: "the private identity goes", change: func(*subscriber.Subscription) {}, sets: []int{1, 2}, want: []string{"RTR sip:one@home"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := scratch.Dir(t)
			store, err := subscriber.Open(
				t.Context(),
				subscriber.Config{DSN: filepath.Join(folder, "hss.db"), KeyFile: filepath.Join(folder, "keys")},
				slog.New(slog.DiscardHandler),
			)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()

			err = store.Update(t.Context(), func(tx *subscriber.Tx) error {
				s := registered()
				if err := tx.Save(s); err != nil {
					return err
				}
				change := Before(s)
				if err := Withdraw(tx, s, test.sets, test.privates); err != nil {
					return err
				}
				test.change(s)
				if err := tx.Save(s); err != nil {
					return err
				}

				return change.Made(tx, s)
			})
			if err != nil {
				t.Fatal(err)
			}

			pushes, err := store.Pushes(t.Context(), 0, 10)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range slices.Backward(pushes) {
				got = append(got, string(p.Command)+" "+p.PublicIdentities[0])
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// registered returns a subscription of one private identity and two sets, both registered.
func registered() *subscriber.Subscription {
	private := &subscriber.PrivateIdentity{Identity: "a@home", Scheme: subscriber.AKA}
	s := &subscriber.Subscription{Name: "a", Private: []*subscriber.PrivateIdentity{private}}
	s.Assign("sip:scscf", "scscf.home")

	for number, identity := range []string{"sip:one@home", "sip:two@home"} {
		set := &subscriber.RegistrationSet{
			Number:        number + 1,
			Public:        []*subscriber.PublicIdentity{{Identity: identity, Kind: subscriber.User}},
			Registrations: []*subscriber.Registration{{Private: private}},
		}
		set.Register(private)
		s.Sets = append(s.Sets, set)
	}

	return s
}
