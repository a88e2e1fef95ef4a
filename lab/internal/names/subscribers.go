// Package names keeps the zones of a network up to date: it reads the subscribers from the HSS, and serves or writes the zones as they
// change.
package names

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/dialtone-ims/dialtone/lab/internal/zone"
	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

// Read returns the numbers of all subscribers.
type Read func(context.Context) ([]zone.Number, error)

// page is how many subscribers are requested at once.
const page = 1000

// subscriber is the part of a subscriber that is read (hss GET /subscribers).
type subscriber struct {
	Sets []struct {
		Public []public `json:"public_identities"`
	} `json:"registration_sets"`
}

type public struct {
	Identity string `json:"identity"`
	Barred   bool   `json:"barred"`
}

// Subscribers reads the numbers from the admin HTTP of an HSS: those of its tel URIs, each leading to a SIP URI of the same implicit
// registration set, which is the same user's (TS 23.228 §4.3.3.4).
func Subscribers(hss httpapi.Client) Read {
	return func(ctx context.Context) (numbers []zone.Number, err error) {
		numbers = []zone.Number{} // known to be none

		for after, more := "", true; more; more = after != "" {
			var list struct {
				Subscribers []subscriber `json:"subscribers"`
				Next        string       `json:"next"`
			}

			query := url.Values{"limit": {strconv.Itoa(page)}}
			if after != "" {
				query.Set("after", after)
			}

			if err := hss.Do(ctx, "GET", "/subscribers?"+query.Encode(), nil, &list); err != nil {
				return nil, err
			}

			for _, s := range list.Subscribers {
				for _, set := range s.Sets {
					numbers = append(numbers, ofSet(set.Public)...)
				}
			}

			after = list.Next
		}

		return numbers, nil
	}
}

// ofSet returns the numbers of one implicit registration set. Barred numbers, and those without a SIP URI, are left out.
func ofSet(set []public) (numbers []zone.Number) {
	for _, p := range set {
		digits, found := strings.CutPrefix(p.Identity, "tel:+")
		if !found || p.Barred {
			continue
		}

		if uri := sipOf(set, digits); uri != "" {
			numbers = append(numbers, zone.Number{Digits: digits, URI: uri})
		}
	}

	return numbers
}

// sipOf returns the SIP URI for a number: the one with it as its user, else the first one of the set.
func sipOf(set []public, digits string) (uri string) {
	for _, p := range set {
		if !strings.HasPrefix(p.Identity, "sip:") || p.Barred || strings.Contains(p.Identity, "!") { // a wildcard is no user's
			continue
		}

		if strings.HasPrefix(p.Identity, "sip:+"+digits+"@") {
			return p.Identity
		}

		if uri == "" {
			uri = p.Identity
		}
	}

	return uri
}

// Strangers returns a warning if none of the numbers is of a home network domain: the HSS is another network's. Otherwise "".
func Strangers(numbers []zone.Number, domain string) string {
	for _, n := range numbers {
		if _, host, _ := strings.Cut(n.URI, "@"); strings.EqualFold(host, domain) {
			return ""
		}
	}

	if len(numbers) == 0 {
		return ""
	}

	return fmt.Sprintf("no subscriber of the HSS is of %s, but for example %s: is --plmn right?", domain, numbers[0].URI)
}
