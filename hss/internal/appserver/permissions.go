package appserver

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/diameter/sh"
)

// Permission is what one application server may do (TS 29.328 §6.2). Data is named as in table 7.6.1.
type Permission struct {
	Host   string   `yaml:"host"` // Diameter identity of the application server
	Read   []string `yaml:"read"`
	Update []string `yaml:"update"`
	Notify []string `yaml:"notify"`
}

// kind is a kind of data, with the operations and the keys that TS 29.328 table 7.6.1 has for it.
type kind struct {
	reference             sh.DataReference
	read, update, notify  bool
	user, service, number bool
}

// everything is the name for all data that an operation is possible with.
const everything = "all"

// kinds lists the data that this HSS has.
var kinds = map[string]kind{
	"RepositoryData":         {reference: sh.ReferenceRepositoryData, read: true, update: true, notify: true, user: true, service: true},
	"IMSPublicIdentity":      {reference: sh.ReferenceIMSPublicIdentity, read: true, notify: true, user: true, service: true, number: true},
	"IMSUserState":           {reference: sh.ReferenceIMSUserState, read: true, notify: true, user: true},
	"S-CSCFName":             {reference: sh.ReferenceSCSCFName, read: true, notify: true, user: true, service: true},
	"InitialFilterCriteria":  {reference: sh.ReferenceFilterCriteria, read: true, notify: true, user: true, service: true},
	"LocationInformation":    {reference: sh.ReferenceLocationInformation, read: true, user: true, number: true},
	"UserState":              {reference: sh.ReferenceUserState, read: true, user: true, number: true},
	"ChargingInformation":    {reference: sh.ReferenceCharging, read: true, notify: true, user: true, service: true, number: true},
	"MSISDN":                 {reference: sh.ReferenceMSISDN, read: true, user: true, number: true},
	"DSAI":                   {reference: sh.ReferenceDSAI, read: true, update: true, notify: true, user: true, service: true},
	"IMSI":                   {reference: sh.ReferenceIMSI, read: true, user: true, number: true},
	"IMSPrivateUserIdentity": {reference: sh.ReferencePrivateIdentity, read: true, notify: true, user: true},
	"IMEISV":                 {reference: sh.ReferenceIMEISV, read: true, user: true, number: true},
}

// kindOf returns the kind of data of a reference that an application server has permission for.
func kindOf(reference sh.DataReference) (k kind) {
	for _, k := range kinds {
		if k.reference == reference {
			return k
		}
	}

	return k
}

// permissions are those of one application server, by reference.
type permissions struct {
	host                 string // as the operator writes it: application servers may write theirs differently
	read, update, notify map[sh.DataReference]bool
}

func (p *Policy) permissions() map[string]*permissions {
	all := map[string]*permissions{}

	for _, server := range p.Servers {
		all[strings.ToLower(server.Host)] = &permissions{
			host:   server.Host,
			read:   references(server.Read, func(k kind) bool { return k.read }),
			update: references(server.Update, func(k kind) bool { return k.update }),
			notify: references(server.Notify, func(k kind) bool { return k.notify }),
		}
	}

	return all
}

func references(names []string, possible func(kind) bool) map[sh.DataReference]bool {
	found := map[sh.DataReference]bool{}

	for name, k := range kinds {
		if possible(k) && (slices.Contains(names, name) || slices.Contains(names, everything)) {
			found[k.reference] = true
		}
	}

	return found
}

// Validate returns an error naming the setting if the policy cannot work.
func (p *Policy) Validate() error {
	var errs []error

	refuse := func(bad bool, format string, arguments ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, arguments...))
		}
	}

	const mostData = 60_000 // what a message of the usual length has room for

	refuse(p.MaxData < 1 || p.MaxData > mostData, "sh.max_data: %d is not 1 to %d", p.MaxData, mostData)
	refuse(p.MaxServices < 1, "sh.max_services: %d is not at least 1", p.MaxServices)
	refuse(p.MaxSubscriptions < 1, "sh.max_subscriptions: %d is not at least 1", p.MaxSubscriptions)
	refuse(p.Longest < 0, "sh.longest_subscription: %s is negative", p.Longest)

	seen := map[string]bool{}

	for _, server := range p.Servers {
		refuse(server.Host == "", "sh.application_servers: one has no host")
		refuse(seen[strings.ToLower(server.Host)], "sh.application_servers: %s stands twice", server.Host)
		seen[strings.ToLower(server.Host)] = true

		for operation, names := range map[string][]string{"read": server.Read, "update": server.Update, "notify": server.Notify} {
			for _, name := range names {
				k, known := kinds[name]
				possible := map[string]bool{"read": k.read, "update": k.update, "notify": k.notify}[operation]

				refuse(name != everything && !known, "sh.application_servers: %s: %s: %q is neither %s nor one of %s",
					server.Host, operation, name, everything, strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
				refuse(known && !possible, "sh.application_servers: %s: %s: that is not possible with %s (TS 29.328 table 7.6.1)",
					server.Host, operation, name)
			}
		}
	}

	return errors.Join(errs...)
}
