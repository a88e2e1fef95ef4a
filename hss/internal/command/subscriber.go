package command

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
	"github.com/dialtone-ims/dialtone/pkg/ims"
)

func subscribers() *cobra.Command {
	r := new(remote)
	c := &cobra.Command{
		Use: "subscriber", Short: "add, show, list, change and delete subscribers",
		Long: "Add, show, list, change and delete subscribers. NAME is a subscriber's name or any identity of it.\n\n" + spoken,
	}
	r.flags(c)
	c.AddCommand(
		addSubscriber(r), showSubscriber(r), listSubscribers(r), setSubscriber(r), deleteSubscriber(r), deregisterSubscriber(r),
		importSIMs(r), exportSIMs(r),
	)

	return c
}

func path(parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(part))
	}

	return b.String()
}

// authenticationFlags adds the flags common to add and set.
func authenticationFlags(c *cobra.Command, a *provisioning.Authentication) {
	f := c.Flags()
	f.StringVar((*string)(&a.Scheme), "scheme", "", "aka or sip-digest (follows from --k or --password)")
	f.StringVar((*string)(&a.Algorithm), "algorithm", "", "milenage or tuak; md5 or sha-256 for a password")
	f.StringVar(&a.K, "k", "", "key of the SIM, hexadecimal")
	f.StringVar(&a.OP, "op", "", "operator variant OP, hexadecimal")
	f.StringVar(&a.OPc, "opc", "", "OPc, if that is what came with the SIM")
	f.StringVar(&a.AMF, "amf", "", "authentication management field (default 8000)")
	f.IntVar(&a.RES, "res", 0, "octets of RES that TUAK gives: 4, 8, 16 or 32 (default 8)")
	f.IntVar(&a.Keccak, "keccak", 0, "iterations of TUAK (default 1)")
	f.StringVar(&a.SQN, "sqn", "", "last sequence number used, 12 hexadecimal digits")
	f.StringVar(&a.Password, "password", "", "password of a SIP Digest user")
	c.MarkFlagsMutuallyExclusive("op", "opc")
	c.MarkFlagsMutuallyExclusive("k", "password")
}

func addSubscriber(r *remote) *cobra.Command {
	var (
		body provisioning.NewSubscriber
		file string

		after int
		pass  bool
		eps   epsFlags
	)

	c := &cobra.Command{
		Use:   "add --imsi IMSI --msisdn MSISDN --k K (--op OP | --opc OPC)",
		Short: "add a subscriber with the identities that follow from IMSI and MSISDN",
		Example: "  hss subscriber add --imsi 001010000000001 --msisdn 15550001 --k 465b5ce8b199b49faa5f0a2ee238a6bc --opc " +
			"cd63cb71954a9f4e48a5994e37a02baf\n" +
			"  hss subscriber add --user alice --password secret\n  hss subscriber add --file alice.json\n  hss subscriber add --file all.csv",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if file != "" {
				return r.addFile(c, file, after, pass)
			}

			if err := eps.read(c); err != nil {
				return err
			}

			body.EPS = eps.own

			return r.add(c, body)
		},
	}

	f := c.Flags()
	f.StringVar(&body.Name, "name", "", "your name for it (default the IMSI or the user)")
	f.StringVar(&body.IMSI, "imsi", "", "IMSI of the SIM")
	f.StringVar(&body.MSISDN, "msisdn", "", "telephone number with country code")
	f.StringVar(&body.User, "user", "", "name of a user without a SIM, without the domain; it needs --password")
	f.StringVar(&body.DisplayName, "display-name", "", "what a called party sees")
	f.StringVar(&body.ServiceProfile, "profile", "", "service profile (default \"default\")")
	f.StringSliceVar(&body.VisitedNetworks, "visited", nil, "networks where it may be served (default all)")
	f.StringVar(&file, "file", "", "one or many: JSON, an array, JSON lines, or CSV; - for the standard input")
	f.IntVar(&after, "after", 0, "of the file, only what is behind this `line`")
	skipFlag(c, &pass)
	f.StringVar(&eps.file, "eps", "", "what an MME is told of the SIM, as JSON: default APN, rates, APNs; - for the standard input")
	authenticationFlags(c, &body.Authentication)
	c.MarkFlagsMutuallyExclusive("imsi", "user", "file")
	c.MarkFlagsOneRequired("imsi", "user", "file")

	return c
}

func showSubscriber(r *remote) *cobra.Command {
	var withKeys bool

	c := &cobra.Command{
		Use: "show NAME", Short: "show a subscriber and where it is registered", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var s provisioning.Subscriber
			if err := r.do(c, http.MethodGet, path("subscribers", args[0]), nil, &s); err != nil {
				return err
			}

			if r.json && !withKeys {
				return r.show(c, s, nil)
			}

			tried, err := r.tried(c, s)
			if err != nil {
				return err
			}

			if !withKeys {
				printSubscriber(c.OutOrStdout(), s)
				fmt.Fprint(c.OutOrStdout(), tried)

				return nil
			}

			var all []provisioning.Keys

			for _, p := range s.PrivateIdentities {
				var k provisioning.Keys
				if err := r.do(c, http.MethodGet, path("subscribers", s.Name, "private-identities", p.Identity, "keys"), nil, &k); err != nil {
					return err
				}

				all = append(all, k)
			}

			return r.show(c, all, func(w io.Writer) {
				printSubscriber(w, s)
				fmt.Fprint(w, tried)

				for _, k := range all {
					printKeys(w, k)
				}
			})
		},
	}
	c.Flags().BoolVar(&withKeys, "keys", false, "show K, OP and OPc or the password")

	return c
}

// tried returns how far each private identity has come with registering.
func (r *remote) tried(c *cobra.Command, s provisioning.Subscriber) (lines string, err error) {
	for _, p := range s.PrivateIdentities {
		list, err := r.attempts(c, p.Identity)
		if err != nil {
			return "", err
		}

		list.Others = 0
		says := nothing("", list)

		for _, a := range list.Attempts {
			says = a.Says
		}

		lines += fmt.Sprintf("  tried    %s  %s\n", p.Identity, says)
	}

	return lines, nil
}

func listSubscribers(r *remote) *cobra.Command {
	var (
		imsi, msisdn, identity, after string
		limit                         int
	)

	c := &cobra.Command{
		Use: "list", Short: "list subscribers", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			query := url.Values{}
			for name, value := range map[string]string{"imsi": imsi, "msisdn": msisdn, "public_identity": identity, "after": after} {
				if value != "" {
					query.Set(name, value)
				}
			}

			all := provisioning.SubscriberList{Subscribers: []provisioning.Subscriber{}}

			for {
				query.Set("limit", fmt.Sprint(pageOf(limit, len(all.Subscribers))))

				var page provisioning.SubscriberList
				if err := r.do(c, http.MethodGet, "/subscribers?"+query.Encode(), nil, &page); err != nil {
					return err
				}

				all.Subscribers = append(all.Subscribers, page.Subscribers...)

				if all.Next = page.Next; page.Next == "" || limit > 0 && len(all.Subscribers) >= limit {
					break
				}

				query.Set("after", page.Next)
			}

			defer httpapi.WriteMore(c.ErrOrStderr(), r.next)

			return r.show(c, all, func(w io.Writer) { printList(w, all.Subscribers) })
		},
	}
	c.Flags().StringVar(&imsi, "imsi", "", "only with this IMSI")
	c.Flags().StringVar(&msisdn, "msisdn", "", "only with this MSISDN")
	c.Flags().StringVar(&identity, "public-identity", "", "only with this public identity")
	c.Flags().StringVar(&after, "after", "", "those after this name")
	c.Flags().IntVar(&limit, "limit", 0, "at most so many (all)")

	return c
}

// pageOf returns how many subscribers to request next: come of limit (0: no limit) have been received.
func pageOf(limit, come int) int {
	const most = 1000

	if limit <= 0 {
		return most
	}

	return min(limit-come, most)
}

func setSubscriber(r *remote) *cobra.Command {
	var (
		a                      provisioning.Authentication
		private, profile, file string
		displayName            string
		identities, bar, unbar []string
		visited                []string
		eps                    epsFlags
	)

	c := &cobra.Command{
		Use: "set NAME", Short: "change a subscriber; its S-CSCF is told of what it has to know", Args: cobra.ExactArgs(1),
		Example: "  hss subscriber set 001010000000001 --opc cd63cb71954a9f4e48a5994e37a02baf\n" +
			"  hss subscriber set 001010000000001 --profile voicemail --identity tel:+15550001\n" +
			"  hss subscriber set 001010000000001 --bar tel:+15550001\n" +
			"  hss subscriber set 001010000000001 --eps eps.json",
		RunE: func(c *cobra.Command, args []string) error {
			var s provisioning.Subscriber
			if err := r.do(c, http.MethodGet, path("subscribers", args[0]), nil, &s); err != nil {
				return err
			}

			if file != "" {
				s = provisioning.Subscriber{}
				if err := decodeFile(c, file, &s); err != nil {
					return err
				}
			}

			if err := changeAuthentication(&s, private, a); err != nil {
				return err
			}

			if err := eps.change(c, &s, private); err != nil {
				return err
			}

			if c.Flags().Changed("visited") {
				for i := range s.PrivateIdentities {
					s.PrivateIdentities[i].VisitedNetworks = visited
				}
			}

			err := eachPublic(&s, identities, func(p *provisioning.PublicIdentity) {
				if c.Flags().Changed("profile") {
					p.ServiceProfile = profile
				}

				if c.Flags().Changed("display-name") {
					p.DisplayName = displayName
				}
			})
			if err != nil {
				return err
			}

			for value, names := range map[bool][]string{true: bar, false: unbar} {
				if len(names) == 0 {
					continue
				}

				if err := eachPublic(&s, names, func(p *provisioning.PublicIdentity) { p.Barred = value }); err != nil {
					return err
				}
			}

			var changed provisioning.Subscriber
			if err := r.do(c, http.MethodPut, path("subscribers", args[0]), s, &changed); err != nil {
				return err
			}

			return r.show(c, changed, func(w io.Writer) { printSubscriber(w, changed) })
		},
	}

	f := c.Flags()
	authenticationFlags(c, &a)
	eps.add(c)
	f.StringVar(&private, "private-identity", "", "whose keys or eps are changed, if there are several")
	f.StringSliceVar(&identities, "identity", nil, "public identities that --profile and --display-name are for (default all)")
	f.StringVar(&profile, "profile", "", "service profile")
	f.StringVar(&displayName, "display-name", "", "what a called party sees")
	f.StringSliceVar(&bar, "bar", nil, "public identities to be barred for calls")
	f.StringSliceVar(&unbar, "unbar", nil, "public identities to be barred no more")
	f.StringSliceVar(&visited, "visited", nil, "networks where it may be served")
	f.StringVar(&file, "file", "", "the whole subscriber as JSON, as `show --json` prints it; - for the standard input")

	return c
}

func changeAuthentication(s *provisioning.Subscriber, private string, a provisioning.Authentication) error {
	if a == (provisioning.Authentication{}) {
		return nil
	}

	p, err := privateOf(s, private)
	if err == nil {
		p.Authentication = &a
	}

	return err
}

// privateOf returns the private identity meant, which need not be named if it is the only one.
func privateOf(s *provisioning.Subscriber, private string) (*provisioning.PrivateIdentity, error) {
	if private == "" && len(s.PrivateIdentities) != 1 {
		return nil, fmt.Errorf("%s has %d private identities: say which with --private-identity", s.Name, len(s.PrivateIdentities))
	}

	for i := range s.PrivateIdentities {
		if p := &s.PrivateIdentities[i]; private == "" || p.Identity == private || p.IMSI != "" && p.IMSI == private {
			return p, nil
		}
	}

	return nil, fmt.Errorf("%s has no private identity %s", s.Name, private)
}

// eachPublic changes the identities named, or all.
func eachPublic(s *provisioning.Subscriber, names []string, change func(*provisioning.PublicIdentity)) error {
	left, domain := slices.Clone(names), ""
	if len(s.PrivateIdentities) > 0 {
		_, domain, _ = strings.Cut(s.PrivateIdentities[0].Identity, "@")
	}

	for i := range s.RegistrationSets {
		for j := range s.RegistrationSets[i].PublicIdentities {
			p := &s.RegistrationSets[i].PublicIdentities[j]
			is := func(name string) bool {
				return p.Identity == name || ims.ParseWritten(name, domain).Means("", p.Identity)
			}

			if len(names) == 0 || slices.ContainsFunc(names, is) {
				change(p)
				left = slices.DeleteFunc(left, is)
			}
		}
	}

	if len(left) > 0 {
		return fmt.Errorf("%s has no public identity %s: hss subscriber show %s lists them", s.Name, left[0], s.Name)
	}

	return nil
}

func deleteSubscriber(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME...", Short: "delete subscribers; their S-CSCFs end the registrations", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			for _, name := range args {
				if err := r.do(c, http.MethodDelete, path("subscribers", name), nil, nil); err != nil {
					return err
				}

				fmt.Fprintf(c.OutOrStdout(), "subscriber %s is deleted\n", name)
			}

			return nil
		},
	}
}

func deregisterSubscriber(r *remote) *cobra.Command {
	var reason, info string

	c := &cobra.Command{
		Use: "deregister NAME", Short: "end the registrations of a subscriber (RTR)", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			query := url.Values{"reason": {reason}, "info": {info}}
			if err := r.do(c, http.MethodDelete, path("subscribers", args[0], "registration")+"?"+query.Encode(), nil, nil); err != nil {
				return err
			}

			fmt.Fprintf(c.OutOrStdout(), "the S-CSCF is told to end the registrations of %s\n", args[0])

			return nil
		},
	}
	c.Flags().StringVar(&reason, "reason", "permanent_termination", "permanent_termination, server_change or remove_s-cscf")
	c.Flags().StringVar(&info, "info", "", "a text for the S-CSCF")

	return c
}
