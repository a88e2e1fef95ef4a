// Package schema migrates the tables of the HSS in counted steps. A step is never changed once a version has it; the types here
// are those of their step, not those that the program works with.
package schema

import (
	"time"

	"gorm.io/gorm"

	"github.com/dialtone-ims/dialtone/pkg/database"
)

// HSS is the schema of the HSS.
var HSS = database.Schema{Name: "hss", Migrations: []database.Migration{
	{Name: "tables", Do: tables},
	{Name: "eps", Do: eps},
	{Name: "aaa", Do: aaa},
	{Name: "gateways", Do: gateways},
	{Name: "application servers", Do: applicationServers},
}}

// applicationServers adds what application servers keep here and want to be told of.
func applicationServers(tx *gorm.DB) error {
	type Watch struct {
		ID             uint64 `gorm:"primaryKey"`
		SubscriptionID uint64 `gorm:"index;not null"`

		Host            string `gorm:"uniqueIndex:watch;not null"`
		Realm           string `gorm:"uniqueIndex:watch;not null"`
		Identity        string `gorm:"uniqueIndex:watch;not null"`
		MSISDN          string `gorm:"uniqueIndex:watch;column:msisdn;not null"`
		PrivateIdentity string `gorm:"uniqueIndex:watch;not null"`
		Reference       uint32 `gorm:"uniqueIndex:watch;not null"`
		Service         string `gorm:"uniqueIndex:watch;not null"`
		Server          string `gorm:"uniqueIndex:watch;not null"`
		IdentitySet     uint32 `gorm:"uniqueIndex:watch;not null"`

		Owner   string
		OneTime bool
		Expires time.Time
		Seen    string
	}

	type Push struct {
		ID       uint64 `gorm:"primaryKey"`
		Watch    uint64
		MSISDN   string `gorm:"column:msisdn"`
		Document []byte
	}

	return tx.AutoMigrate(&repositoryData{}, &Watch{}, &Push{})
}

// repositoryData is a table whose name has no plural.
type repositoryData struct {
	ID             uint64 `gorm:"primaryKey"`
	SubscriptionID uint64 `gorm:"index;not null"`
	Owner          string `gorm:"uniqueIndex:repository;not null"`
	Service        string `gorm:"uniqueIndex:repository;not null"`
	Sequence       int
	Data           []byte
}

// TableName returns the table's name.
func (repositoryData) TableName() string { return "repository_data" }

// gateways adds the PDN gateways of a SIM, the features of the nodes that serve it, and the APNs that a DSR withdraws.
func gateways(tx *gorm.DB) error {
	type PrivateIdentity struct {
		ID          uint64 `gorm:"primaryKey"`
		PGWs        string `gorm:"column:pgws"`
		MMEFeatures uint32 `gorm:"column:mme_features"`
		AAAFeatures uint32 `gorm:"column:aaa_features"`
	}

	type Push struct {
		ID       uint64 `gorm:"primaryKey"`
		Contexts string
	}

	return tx.AutoMigrate(&PrivateIdentity{}, &Push{})
}

// aaa adds the AAA server of a SIM at other accesses.
func aaa(tx *gorm.DB) error {
	type PrivateIdentity struct {
		ID            uint64    `gorm:"primaryKey"`
		AAAHost       string    `gorm:"column:aaa_host"`
		AAARealm      string    `gorm:"column:aaa_realm"`
		AAARegistered bool      `gorm:"column:aaa_registered"`
		AAASince      time.Time `gorm:"column:aaa_since"`
	}

	return tx.AutoMigrate(&PrivateIdentity{})
}

// eps adds the EPS subscription of a SIM, and its location.
func eps(tx *gorm.DB) error {
	type PrivateIdentity struct {
		ID  uint64 `gorm:"primaryKey"`
		EPS string `gorm:"column:eps"`

		MMEHost   string `gorm:"column:mme_host"`
		MMERealm  string `gorm:"column:mme_realm"`
		MMEPLMN   string `gorm:"column:mme_plmn"`
		MMEIMEI   string `gorm:"column:mme_imei"`
		MMESince  time.Time
		MMEPurged bool
	}

	type Push struct {
		ID          uint64 `gorm:"primaryKey"`
		ServerRealm string
		IMSI        string `gorm:"column:imsi"`
	}

	return tx.AutoMigrate(&PrivateIdentity{}, &Push{})
}

// tables creates the tables, or completes those of a version that did not count its steps.
func tables(tx *gorm.DB) error {
	type Capabilities struct{ Mandatory, Optional, ServerNames string } // lists in JSON, as all lists are

	type Charging struct {
		PrimaryEventChargingFunction        string
		SecondaryEventChargingFunction      string
		PrimaryChargingCollectionFunction   string
		SecondaryChargingCollectionFunction string
	}

	type Subscription struct {
		ID   uint64 `gorm:"primaryKey"`
		Name string `gorm:"uniqueIndex;not null"`

		ServerName   string
		ServerHost   string
		PreviousHost string
		Features     uint32

		Capabilities Capabilities `gorm:"embedded;embeddedPrefix:capability_"`
		Charging     Charging     `gorm:"embedded;embeddedPrefix:charging_"`
	}

	type PrivateIdentity struct {
		ID             uint64 `gorm:"primaryKey"`
		SubscriptionID uint64 `gorm:"index;not null"`
		Identity       string `gorm:"uniqueIndex;not null"`
		IMSI           string `gorm:"index"`
		MSISDN         string `gorm:"index"`

		Scheme    string `gorm:"not null"`
		Algorithm string
		Operator  string
		AMF       string
		RES       int
		Keccak    int
		SQN       uint64

		SealedK, SealedOP, SealedOPc, SealedPassword []byte

		VisitedNetworks string
	}

	type RegistrationSet struct {
		ID             uint64 `gorm:"primaryKey"`
		SubscriptionID uint64 `gorm:"uniqueIndex:set_number;not null"`
		Number         int    `gorm:"uniqueIndex:set_number;not null"`
		Unregistered   bool
		LooseRoute     bool
	}

	type Registration struct {
		PrivateID   uint64 `gorm:"primaryKey;autoIncrement:false"`
		SetID       uint64 `gorm:"primaryKey;autoIncrement:false;index"`
		Registered  bool
		AuthPending bool
		Since       time.Time
		Restoration []byte
	}

	type PublicIdentity struct {
		ID             uint64 `gorm:"primaryKey"`
		SubscriptionID uint64 `gorm:"index;not null"`
		SetID          uint64 `gorm:"index;not null"`
		Position       int
		Identity       string `gorm:"uniqueIndex;not null"`

		Kind              string `gorm:"not null"`
		Wildcard          bool   `gorm:"index"`
		DisplayName       string
		Barred            bool
		MayRegister       bool
		ProfileID         uint64 `gorm:"index"`
		AliasGroup        string
		ApplicationServer string
	}

	type ServiceProfile struct {
		ID                     uint64 `gorm:"primaryKey"`
		Name                   string `gorm:"uniqueIndex;not null"`
		FilterCriteria         string
		SharedSets             string
		SubscribedMediaProfile *int
		UnregisteredServices   bool
	}

	type SharedFilterCriteria struct {
		Number               int `gorm:"primaryKey;autoIncrement:false"`
		FilterCriteria       string
		UnregisteredServices bool
	}

	type Push struct {
		ID                uint64 `gorm:"primaryKey"`
		Command           string
		ServerHost        string
		PrivateIdentity   string
		OtherIdentities   string
		PublicIdentities  string
		Reason            uint32
		Info              string
		Created, Finished time.Time
		State             string `gorm:"index"`
		Attempts          int
		Next              time.Time
		Result            string
	}

	type Mark struct {
		Name  string `gorm:"primaryKey"`
		Value string
	}

	return tx.AutoMigrate(&Subscription{}, &PrivateIdentity{}, &RegistrationSet{}, &Registration{}, &PublicIdentity{}, &ServiceProfile{},
		&SharedFilterCriteria{}, &Push{}, &Mark{})
}
