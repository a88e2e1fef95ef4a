package simfile

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	k   = "465b5ce8b199b49faa5f0a2ee238a6bc"
	opc = "cd63cb71954a9f4e48a5994e37a02baf"
	op  = "cdc202d5123e20f62b6d676ac72cb318"
)

// read is what the files have, a line for each SIM, with what is left out behind a "-".
func read(t *testing.T, format Format, texts ...string) (string, error) {
	var (
		files []File
		got   []string
	)

	for i, text := range texts {
		files = append(files, File{Name: fmt.Sprintf("f%d", i), text: []byte(text)})
	}

	err := Read(t.Context(), files, format, func(s SIM) error {
		got = append(got, strings.Join([]string{fmt.Sprint(s.Line), s.IMSI, s.MSISDN, short(s.K), short(s.OP), short(s.OPc), s.AMF, s.SQN}, " "))
		return nil
	}, func(file string, line int, why string) {
		got = append(got, fmt.Sprintf("- %s:%d: %s", file, line, why))
	})

	return strings.Join(got, "\n"), err
}

func short(key string) string {
	for name, value := range map[string]string{"K": k, "OPc": opc, "OP": op} {
		if key == value {
			return name
		}
	}

	return key
}

func TestRead(t *testing.T) {
	tests := []struct {
		name, want string
		files      []string
	}{
		{
			"sysmocom, columns by comma", "3 001010000000001  K  OPc  \n4 001010000000002  K  OPc  ",
			[]string{
				"# order 7\nIMSI,ICCID,ACC,PIN1,PUK1,PIN2,PUK2,Ki,OPC,ADM1\n" +
					"001010000000001,8988211000000000001,0001,0000,88528379,0000,31497382," + strings.ToUpper(k) + "," + opc + ",76510072\n" +
					"001010000000002,8988211000000000002,0001,0000,88528379,0000,31497382," + k + "," + opc + ",76510072\n\n",
			},
		},
		{
			"by semicolon, from a table calculation", "3 001010000000001 15550001 K OP  8000 000000000020",
			[]string{
				"\ufeffsep=;\r\nIMSI;Ki;OP;MSISDN;AMF;SQN\r\n" +
					"001010000000001;0x46 5B 5C E8 B1 99 B4 9F AA 5F 0A 2E E2 38 A6 BC;" + op + ";+15550001;8000;000000000020\r\n;;;;;\r\n",
			},
		},
		{"by tab, in quotes", "2 001010000000001  K    ", []string{"\"imsi\"\t\"k\"\n\"001010000000001\"\t\"" + k + "\"\n"}},
		{
			"pySim-prog", "1 001010000000001  K  OPc  ",
			[]string{"Magic,8988211000000000001,001,01,001010000000001,00495555," + k + "," + opc + "\n"},
		},
		{
			"srsepc", "2 001010000000001  K  OPc 9001 000000001234\n3 001010000000002  K OP  8000 \n" +
				"- f0:4: 001010000000003 has the algorithm XOR, for which there are no vectors here",
			[]string{
				"# Name,Auth,IMSI,Key,OP_Type,OP/OPc,AMF,SQN,QCI,IP_alloc\n" +
					"ue2,mil,001010000000001," + k + ",opc," + opc + ",9001,000000001234,7,dynamic\n" +
					"ue1,001010000000002," + k + ",op," + op + ",8000,9,dynamic\n" +
					"ue3,xor,001010000000003," + k + ",opc," + opc + ",9001,000000001234,7,dynamic\n",
			},
		},
		{
			"Open5GS, as mongoexport writes it", "1 001010000000001 15550001 K  OPc 8000 000000000061\n2 001010000000002  K OP  8000 000000000040",
			[]string{
				`{"_id":{"$oid":"x"},"imsi":"001010000000001","msisdn":["15550001","15550009"],` +
					`"security":{"k":"465B5CE8 B199B49F AA5F0A2E E238A6BC",` +
					`"op":null,"opc":"` + opc + `","amf":"8000","sqn":{"$numberLong":"97"}},"slice":[{"sst":1}]}` + "\n" +
					`{"imsi":"001010000000002","security":{"k":"` + k + `","op":"` + op + `","opc":null,"amf":"8000","sqn":64}}`,
			},
		},
		{
			"PyHSS, keys with their IMSI", "1 001010000000001 15550001 K  OPc 8000 000000000021",
			[]string{
				`[{"auc_id":1,"ki":"` + k + `","opc":"` + opc + `","amf":"8000","sqn":33,"imsi":"001010000000001","iccid":null}]`,
				`[{"ims_subscriber_id":1,"msisdn":"15550001","msisdn_list":"15550009,15550008",` +
					`"imsi":"001010000000001","ifc_path":"default.xml"}]`,
			},
		},
		{
			"PyHSS, keys without", "1 001010000000001 15550001 K  OPc 8000 \n- f1:2: the keys 2 have no IMSI: give /subscriber/list as well",
			[]string{
				`[{"subscriber_id":1,"imsi":"001010000000001","enabled":true,"auc_id":1,` +
					`"default_apn":1,"apn_list":"1,2","msisdn":"15550001"}]`,
				`[{"auc_id":1,"ki":"` + k + `","opc":"` + opc + `","amf":"8000","sqn":null},` + "\n" +
					`{"auc_id":2,"ki":"` + k + `","opc":"` + opc + `","amf":"8000","sqn":1}]`,
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got, err := read(t, "", test.files...); err != nil || got != test.want {
				t.Errorf("%v\n%s\nwant\n%s", err, got, test.want)
			}
		})
	}
}

func TestRefusedFiles(t *testing.T) {
	head := "imsi,ki,opc\n"
	const srsepc = "f0: line 1: it is not name, algorithm, IMSI, key, op or opc, its value, AMF, SQN, QCI, address"

	for want, text := range map[string]string{
		"f0: it is in none of the formats that are known":                "hello\n",
		"f0: it is in none of the formats that are known ":               `{"imsi":"001010000000001"}`,
		"f0: line 3: there is no IMSI":                                   head + "001010000000001," + k + "," + opc + "\n,1,2\n",
		`f0: line 2: "00101x" is no IMSI`:                                head + "00101x," + k + ",\n",
		"f0: line 2: 001010000000001 has no key":                         head + "001010000000001,,\n",
		`f0: line 1: {"$numberLong":"x"} is no sequence number`:          `{"imsi":"001010","security":{"sqn":{"$numberLong":"x"}}}`,
		"f0: line 1: it has neither ki nor imsi":                         `[{"auc_id":1}]`,
		"f0: it is no database of osmo-hlr: file is not a database (26)": sqliteMagic + "nothing",
		srsepc: "a,mil,001010000000001,k,c,1,2,3\n",
	} {
		if got, err := read(t, "", text); err == nil || !strings.HasPrefix(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%.60s: %v\n%s\nwant %s", text, err, got, want)
		}
	}

	if _, err := read(t, Vendor, "001010000000001,"+k+"\n"); err == nil || !strings.Contains(err.Error(), "no line names the columns") {
		t.Errorf("CSV without names: %v", err)
	}

	good := File{text: []byte(head + "001010000000001," + k + ",\n")}
	if err := Read(t.Context(), []File{good}, "", func(SIM) error { return os.ErrExist }, nil); !errors.Is(err, os.ErrExist) {
		t.Errorf("what the caller says: %v", err)
	}
}

// Tables of osmo-hlr's own sql/hlr.sql, in the columns that are read.
const (
	subscribers = `CREATE TABLE subscriber (id INTEGER PRIMARY KEY, imsi VARCHAR(15) UNIQUE NOT NULL, msisdn VARCHAR(15) UNIQUE);
		INSERT INTO subscriber VALUES (1, '001010000000001', '15550001'), (2, '001010000000002', NULL), (3, '001010000000003', '15550003');`
	authentication = `CREATE TABLE auc_3g (subscriber_id INTEGER PRIMARY KEY, algo_id_3g INTEGER NOT NULL, k VARCHAR(32) NOT NULL,
			op VARCHAR(32), opc VARCHAR(32), sqn INTEGER NOT NULL DEFAULT 0, ind_bitlen INTEGER NOT NULL DEFAULT 5);
		INSERT INTO auc_3g VALUES (1, 5, '` + k + `', NULL, '` + opc + `', 97, 5), (3, 6, '` + k + `', NULL, '` + opc + `', 1, 5);`
)

// database is a file of SQLite that these statements make.
func database(t *testing.T, statements string) string {
	t.Helper()

	name := filepath.Join(t.TempDir(), "hlr.db")

	db, err := sql.Open("sqlite", name)
	if err != nil {
		t.Fatal(err)
	}

	_, err = db.Exec(statements)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}

	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}

	return string(text)
}

// hlr.db is read as osmo-hlr makes it.
func TestOsmoHLR(t *testing.T) {
	want := "1 001010000000001 15550001 K  OPc  000000000061\n- f0:2: 001010000000002 has keys for 2G alone\n" +
		"- f0:3: 001010000000003 has the algorithm 6, which is not Milenage"
	if got, err := read(t, "", database(t, subscribers+authentication)); err != nil || got != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}

// A database that computes what is asked for, without end if it likes, is refused before anything is read.
func TestOsmoHLRThatComputes(t *testing.T) {
	const endless = ` AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT `

	for name, test := range map[string]struct{ statements, want string }{
		"a view of subscribers": {
			`CREATE VIEW subscriber (id, imsi, msisdn)` + endless + `i, '001010000000001', '1' FROM n;` + authentication,
			"subscriber is not a table of it",
		},
		"a view of keys": {
			subscribers + `CREATE VIEW auc_3g (subscriber_id, algo_id_3g, k, op, opc, sqn)` + endless + `1, 6, '', '', '', i FROM n`,
			"auc_3g is not a table of it",
		},
		"a virtual table": {`CREATE VIRTUAL TABLE subscriber USING fts5(id, imsi, msisdn);` + authentication, "subscriber is not a table of it"},
		"a generated column": {
			subscribers + `CREATE TABLE auc_3g (subscriber_id INTEGER PRIMARY KEY, algo_id_3g, k, op, opc, sqn AS (length(zeroblob(900000000))))`,
			"auc_3g computes its column sqn",
		},
		"a table alone": {subscribers, "auc_3g is not a table of it"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, enough := context.WithTimeout(t.Context(), 10*time.Second) // an end, for who reads it all the same
			defer enough()

			file := File{Name: "f", text: []byte(database(t, test.statements))}
			given := 0
			one := func() {
				if given++; given == 1000 {
					enough()
				}
			}

			err := Read(ctx, []File{file}, "", func(SIM) error { one(); return nil }, func(string, int, string) { one() })
			if want := "f: it is no database of osmo-hlr: " + test.want; err == nil || err.Error() != want || given != 0 {
				t.Errorf("%v after %d rows, want %s", err, given, want)
			}
		})
	}
}

// A database has so many rows at most, and is not read on when the context ends.
func TestOsmoHLRIsBounded(t *testing.T) {
	file := File{Name: "f", text: []byte(database(t, subscribers+authentication))}

	for most, fits := range map[int]bool{3: true, 2: false} {
		given := 0

		err := readOsmoHLR(t.Context(), file, most, func(SIM) error { given++; return nil }, func(int, string) { given++ })
		if (err == nil) != fits || given != most {
			t.Errorf("at most %d: %v after %d", most, err, given)
		}
	}

	ctx, stop := context.WithCancel(t.Context())
	stop()

	if err := Read(ctx, []File{file}, "", func(SIM) error { return nil }, func(string, int, string) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("its context has ended: %v", err)
	}
}

// What is written is read again, by who has the same format.
func TestWrite(t *testing.T) {
	sim := SIM{IMSI: "001010000000001", MSISDN: "15550001", K: k, OPc: opc, AMF: "8000", SQN: "000000000061"}

	for format, want := range map[Format]string{
		CSV:    "2 001010000000001 15550001 K  OPc 8000 000000000062",
		SrsEPC: "1 001010000000001  K  OPc 8000 000000000062",
	} {
		var text bytes.Buffer

		w, err := NewWriter(format, &text)
		if err != nil {
			t.Fatal(err)
		}

		other, err := sim.WithIND(2)
		if err := errors.Join(err, w.Write(other), w.End()); err != nil {
			t.Fatal(err)
		}

		if got, err := read(t, "", text.String()); err != nil || got != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", format, err, got, want)
		}
	}

	for _, ind := range []uint64{32, 1 << 40} {
		if _, err := sim.WithIND(ind); err == nil {
			t.Errorf("IND %d is taken", ind)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"IMSI;Ki;OPC\n001010000000001;" + k + ";" + opc, "a,mil,001010000000001,k,opc,1,2,000000000000,9,d",
		"n,8988211000000000001,1,1,001010000000001,0,k,o", `[{"auc_id":1,"ki":"0","imsi":"001010000000001"}]`,
		`{"imsi":"1","security":{"sqn":{"$numberLong":"1"}}}`, sqliteMagic + "x", "\ufeffsep=;\n",
	} {
		f.Add([]byte(seed))
	}

	f.Fuzz(func(t *testing.T, text []byte) {
		file := File{Name: "f", text: text}
		if file.format() == OsmoHLR {
			return // SQLite's own matter
		}

		_ = Read(t.Context(), []File{file}, "", func(s SIM) error {
			if !digits(s.IMSI, 6, 15) || s.K == "" || s.Line < 1 {
				t.Errorf("%+v", s)
			}

			return nil
		}, func(string, int, string) {})
	})
}
