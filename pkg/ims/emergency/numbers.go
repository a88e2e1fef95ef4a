package emergency

// The services that the numbers of the table stand for (RFC 5031 §4.2).
const (
	sos       = "sos" // any of them: who answers finds out
	police    = "sos.police"
	ambulance = "sos.ambulance"
	fire      = "sos.fire"
	marine    = "sos.marine"
)

// everywhere are the numbers that every handset takes for an emergency's, with or without a SIM (TS 22.101 §10.1.1).
var everywhere = map[string]string{"112": sos, "911": sos}

// countries are the emergency numbers of a country, by its MCC (ITU-T E.212), beside those that are taken everywhere. A number by
// which several services answer stands for any of them.
var countries = map[string]map[string]string{
	"202": {"100": police, "166": ambulance, "199": fire},
	"206": {"101": police, "100": sos},
	"208": {"15": ambulance, "17": police, "18": fire, "114": sos},
	"214": {"091": police, "061": ambulance, "080": fire},
	"216": {"104": ambulance, "105": fire, "107": police},
	"222": {"113": police, "115": fire, "118": ambulance},
	"228": {"117": police, "118": fire, "144": ambulance},
	"230": {"150": fire, "155": ambulance, "158": police},
	"231": {"150": fire, "155": ambulance, "158": police},
	"232": {"122": fire, "133": police, "144": ambulance},
	"234": {"999": sos},
	"235": {"999": sos},
	"242": {"110": fire, "112": police, "113": ambulance},
	"250": {"101": fire, "102": police, "103": ambulance},
	"255": {"101": fire, "102": police, "103": ambulance},
	"260": {"997": police, "998": fire, "999": ambulance},
	"262": {"110": police},
	"272": {"999": sos},
	"404": {"100": police, "101": fire, "102": ambulance, "108": ambulance},
	"405": {"100": police, "101": fire, "102": ambulance, "108": ambulance},
	"420": {"997": ambulance, "998": fire, "999": police},
	"424": {"997": fire, "998": ambulance, "999": police},
	"425": {"100": police, "101": ambulance, "102": fire},
	"440": {"110": police, "118": marine, "119": sos},
	"441": {"110": police, "118": marine, "119": sos},
	"450": {"112": police, "119": sos},
	"454": {"999": sos},
	"460": {"110": police, "119": fire, "120": ambulance},
	"466": {"110": police, "119": sos},
	"502": {"999": sos},
	"505": {"000": sos},
	"520": {"191": police, "199": fire, "1669": ambulance},
	"525": {"995": sos, "999": police},
	"530": {"111": sos},
	"655": {"10111": police, "10177": ambulance},
	"724": {"190": police, "192": ambulance, "193": fire},
}
