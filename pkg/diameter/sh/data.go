package sh

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/dialtone-ims/dialtone/pkg/ifc"
)

// Data is Sh-Data, the document in User-Data (TS 29.328 annexes C and D).
type Data struct {
	Identifiers       *Identifiers
	Repository        []RepositoryData
	IMS               *IMSData
	Deleted           []string // public identities that there are no more
	EPSUserState      *int
	EPSLocation       *EPSLocation
	IMSI              string
	PrivateIdentities []string
	IMEISV            string
}

// Identifiers is PublicIdentifiers.
type Identifiers struct {
	Identities []string              `xml:"IMSPublicIdentity"`
	MSISDNs    []string              `xml:"MSISDN"`
	Extension  *IdentifiersExtension `xml:"Extension"` // of a service identity, or a wildcarded one
}

// IdentifiersExtension says what kind of identity the only one is.
type IdentifiersExtension struct {
	IdentityType   int     `xml:"IdentityType"`
	WildcardedPSI  string  `xml:"WildcardedPSI,omitempty"`
	WildcardedIMPU *string `xml:"Extension>WildcardedIMPU"`
}

// RepositoryData is transparent data of application servers.
type RepositoryData struct {
	ServiceIndication string `xml:"ServiceIndication"`
	SequenceNumber    int    `xml:"SequenceNumber"`
	ServiceData       []byte `xml:",innerxml"` // the element with its tags; none: the data is deleted, or is to be
}

// IMSData is Sh-IMS-Data.
type IMSData struct {
	SCSCFName *string              `xml:"SCSCFName"` // empty: there is none any more
	IFCs      *IFCs                `xml:"IFCs"`
	UserState *int                 `xml:"IMSUserState"`
	Charging  *ChargingInformation `xml:"ChargingInformation"`
}

// IFCs are initial filter criteria.
type IFCs struct {
	Criteria []ifc.InitialFilterCriterion `xml:"InitialFilterCriteria"`
}

// ChargingInformation names the charging functions of a user.
type ChargingInformation struct {
	PrimaryEvent        string `xml:"PrimaryEventChargingFunctionName,omitempty"`
	SecondaryEvent      string `xml:"SecondaryEventChargingFunctionName,omitempty"`
	PrimaryCollection   string `xml:"PrimaryChargingCollectionFunctionName,omitempty"`
	SecondaryCollection string `xml:"SecondaryChargingCollectionFunctionName,omitempty"`
}

// EPSLocation is EPSLocationInformation, as far as the HSS itself knows it.
type EPSLocation struct {
	MMEName string `xml:"MMEName"`
	PLMN    string `xml:"Extension>VisitedPLMNID"` // MCC and MNC
}

// Marshal writes the document in the order of the schema, whose extensions stand one in the other (TS 29.328 table D.2).
func (d *Data) Marshal() ([]byte, error) {
	type extension6 struct {
		IMEISV string `xml:"IMEISV"`
	}

	type extension5 struct {
		IMSI              string      `xml:"IMSI,omitempty"`
		PrivateIdentities []string    `xml:"IMSPrivateUserIdentity"`
		Extension         *extension6 `xml:"Extension"`
	}

	type extension4 struct {
		UserState *int         `xml:"EPSUserState"`
		Location  *EPSLocation `xml:"EPSLocationInformation"`
		Extension *extension5  `xml:"Extension"`
	}

	type extension3 struct {
		Extension *extension4 `xml:"Extension"`
	}

	type extension2 struct {
		Deleted   *Identifiers `xml:"DeletedIdentities"`
		Extension *extension3  `xml:"Extension"`
	}

	type extension1 struct {
		Extension *extension2 `xml:"Extension"`
	}

	document := struct {
		XMLName     xml.Name         `xml:"Sh-Data"`
		Identifiers *Identifiers     `xml:"PublicIdentifiers"`
		Repository  []RepositoryData `xml:"RepositoryData"`
		IMS         *IMSData         `xml:"Sh-IMS-Data"`
		Extension   *extension1      `xml:"Extension"`
	}{Identifiers: d.Identifiers, Repository: d.Repository, IMS: d.IMS}

	var (
		fifth  *extension5
		fourth *extension4
		second *extension2
	)

	if d.IMEISV != "" {
		fifth = &extension5{Extension: &extension6{d.IMEISV}}
	}

	if d.IMSI != "" || len(d.PrivateIdentities) > 0 {
		if fifth == nil {
			fifth = new(extension5)
		}

		fifth.IMSI, fifth.PrivateIdentities = d.IMSI, d.PrivateIdentities
	}

	if fifth != nil || d.EPSUserState != nil || d.EPSLocation != nil {
		fourth = &extension4{d.EPSUserState, d.EPSLocation, fifth}
	}

	if fourth != nil {
		second = &extension2{Extension: &extension3{fourth}}
	}

	if len(d.Deleted) > 0 {
		if second == nil {
			second = new(extension2)
		}

		second.Deleted = &Identifiers{Identities: d.Deleted}
	}

	if second != nil {
		document.Extension = &extension1{second}
	}

	body, err := xml.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("sh: %w", err)
	}

	return append([]byte(xml.Header), body...), nil
}

var errUpdate = errors.New("it is no Sh-Data with RepositoryData")

// ParseUpdate reads the repository data of a PUR (TS 29.328 §6.1.2), with a namespace or without. What else the document has is passed
// over.
func ParseUpdate(document []byte) ([]RepositoryData, error) {
	decoder, err := ifc.NewDecoder(document)
	if err != nil {
		return nil, err
	}

	var read struct {
		XMLName    xml.Name
		Repository []struct {
			Service     *string      `xml:"ServiceIndication"`
			Sequence    *uint16      `xml:"SequenceNumber"`
			ServiceData *ifc.Element `xml:"ServiceData"`
		} `xml:"RepositoryData"`
	}

	if err := decoder.Decode(&read); err != nil {
		return nil, fmt.Errorf("%w: %w", errUpdate, err)
	}

	if read.XMLName.Local != "Sh-Data" {
		return nil, fmt.Errorf("%w: its element is %.40q", errUpdate, read.XMLName.Local)
	}

	if err := end(decoder); err != nil {
		return nil, err
	}

	var all []RepositoryData

	for _, r := range read.Repository {
		if r.Service == nil || strings.TrimSpace(*r.Service) == "" || r.Sequence == nil {
			return nil, fmt.Errorf("%w: ServiceIndication and SequenceNumber are both needed", errUpdate)
		}

		data := RepositoryData{ServiceIndication: strings.TrimSpace(*r.Service), SequenceNumber: int(*r.Sequence)}

		if r.ServiceData != nil {
			if data.ServiceData, err = xml.Marshal(r.ServiceData); err != nil {
				return nil, fmt.Errorf("%w: %w", errUpdate, err)
			}
		}

		all = append(all, data)
	}

	if len(all) == 0 {
		return nil, errUpdate
	}

	return all, nil
}

// end returns an error unless only white space and comments follow.
func end(decoder *xml.Decoder) error {
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}

		if err != nil {
			return fmt.Errorf("%w: %w", errUpdate, err)
		}

		switch t := token.(type) {
		case xml.Comment, xml.ProcInst:
		case xml.CharData:
			if len(strings.TrimSpace(string(t))) > 0 {
				return fmt.Errorf("%w: something follows it", errUpdate)
			}
		default:
			return fmt.Errorf("%w: something follows it", errUpdate)
		}
	}
}
