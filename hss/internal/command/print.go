package command

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/dialtone-ims/dialtone/hss/internal/provisioning"
	"github.com/dialtone-ims/dialtone/hss/internal/subscriber"
)

func printSubscriber(w io.Writer, s provisioning.Subscriber) {
	fmt.Fprintf(w, "subscriber %s: %s\n", s.Name, where(*s.Registration))

	for _, p := range s.PrivateIdentities {
		fmt.Fprintf(w, "  private  %s  %s %s", p.Identity, p.Authentication.Scheme, p.Authentication.Algorithm)

		if p.Authentication.Entered != "" {
			fmt.Fprintf(w, ", %s was entered", strings.Replace(strings.ToUpper(string(p.Authentication.Entered)), "OPC", "OPc", 1))
		}

		fmt.Fprintln(w)

		if l := p.MME; l != nil {
			fmt.Fprintf(w, "  mme      %s\n", attached(l))
		}

		printEPS(w, p)
	}

	for _, set := range s.RegistrationSets {
		for _, p := range set.PublicIdentities {
			fmt.Fprintf(w, "  public   %s", p.Identity)

			for _, note := range publicNotes(set.Number, p) {
				fmt.Fprintf(w, "  %s", note)
			}

			fmt.Fprintln(w)
		}
	}
}

func publicNotes(set int, p provisioning.PublicIdentity) []string {
	notes := []string{fmt.Sprintf("set %d", set)}
	if p.ServiceProfile != "" {
		notes = append(notes, "profile "+p.ServiceProfile)
	}

	if p.Kind == subscriber.Service {
		notes = append(notes, "service")
	}

	if p.DisplayName != "" {
		notes = append(notes, fmt.Sprintf("%q", p.DisplayName))
	}

	if p.Barred {
		notes = append(notes, "barred for calls")
	}

	return notes
}

func printKeys(w io.Writer, k provisioning.Keys) {
	fmt.Fprintf(w, "  keys of %s\n", k.Identity)

	for _, line := range [][2]string{{"K", k.K}, {"OP", k.OP}, {"OPc", k.OPc}, {"AMF", k.AMF}, {"SQN", k.SQN}, {"password", k.Password}} {
		switch {
		case line[1] != "":
			fmt.Fprintf(w, "    %-9s%s\n", line[0], line[1])
		case line[0] == "OP" && k.OPc != "":
			fmt.Fprintf(w, "    %-9snot known: OPc was entered\n", line[0])
		}
	}
}

func printList(w io.Writer, all []provisioning.Subscriber) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush()

	fmt.Fprintln(table, "NAME\tIMSI\tMSISDN\tSTATE\tS-CSCF")

	for _, s := range all {
		imsi, msisdn := "-", "-"

		for _, p := range s.PrivateIdentities {
			if p.IMSI != "" {
				imsi = p.IMSI
			}

			if p.MSISDN != "" {
				msisdn = p.MSISDN
			}
		}

		server := s.Registration.ServerName
		if server == "" {
			server = "-"
		}

		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", s.Name, imsi, msisdn, s.Registration.State, server)
	}
}
