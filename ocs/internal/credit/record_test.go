package credit

import (
	"reflect"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

func TestRecords(t *testing.T) {
	ended := func(number uint32, used int64, cause *int32) *ro.CCR {
		q := ccr("s", ro.Terminate, number, service(1, -1, used))
		q.ServiceInformation.IMS.CauseCode = cause
		return q
	}

	for name, test := range map[string]struct {
		steps []*ro.CCR
		want  CDR
	}{
		"a call": {
			[]*ro.CCR{ended(1, 30, nil)},
			CDR{Kind: "call", Billed: 30, Amount: 30, Reserved: 60, Returned: 30, Cause: terminated, Q850: 16},
		},
		"with a cause": {[]*ro.CCR{ended(1, 30, is(int32(0)))}, CDR{
			Kind: "call", Billed: 30, Amount: 30, Reserved: 60, Returned: 30, Cause: terminated, Q850: 16,
		}},
		"missed": {[]*ro.CCR{ended(1, 0, nil)}, CDR{Kind: "missed call", Reserved: 60, Returned: 60, Cause: "not answered", Q850: 31}},
		"busy": {
			[]*ro.CCR{ended(1, 0, is(int32(486)))},
			CDR{Kind: "missed call", Reserved: 60, Returned: 60, Cause: "not answered", Q850: 17},
		},
		"not found": {
			[]*ro.CCR{ended(1, 0, is(int32(404)))},
			CDR{Kind: "missed call", Reserved: 60, Returned: 60, Cause: "not answered", Q850: 1},
		},
		"something odd": {
			[]*ro.CCR{ended(1, 0, is(int32(499)))},
			CDR{Kind: "missed call", Reserved: 60, Returned: 60, Cause: "not answered", Q850: 31},
		},
		"the money ended": {[]*ro.CCR{ccr("s", ro.Update, 1, service(1, 60, 60)), ended(2, 40, nil)}, CDR{
			Kind: "call", Billed: 100, Amount: 100, Reserved: 100, Cause: noCredit, Q850: 16,
		}},
		"the user ended it before the money": {[]*ro.CCR{ccr("s", ro.Update, 1, service(1, 60, 60)), ended(2, 39, nil)}, CDR{
			Kind: "call", Billed: 99, Amount: 99, Reserved: 100, Returned: 1, Cause: terminated, Q850: 16,
		}},
		"refused before the end": {[]*ro.CCR{ccr("s", ro.Update, 1, service(1, 60, 100)), ended(2, 0, nil)}, CDR{
			Kind: "call", Billed: 100, Amount: 100, Reserved: 60, Cause: noCredit, Q850: 16,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.account(t, "15550001", 100)
			b.tariff(t, perSecond())
			b.send(t, ccr("s", ro.Initial, 0, service(1, 60, -1)))
			for _, q := range test.steps {
				b.send(t, q)
			}
			records := b.cdrs(t)
			if len(records) != 1 {
				t.Fatalf("%d records", len(records))
			}
			r := records[0]
			if r.Session != "s" || r.Account != "15550001" || r.Calling != "tel:+15550001" || r.Called != "tel:+15550002" ||
				r.ICID != "icid-1" || r.CallID != "call-1" ||
				r.Started.IsZero() || r.Ended.Before(r.Started) ||
				(r.Answered == nil) != (r.Billed == 0) ||
				r.TariffVersion != 1 {
				t.Errorf("%+v", r)
			}
			got := CDR{
				Kind: r.Kind, Billed: r.Billed, Amount: r.Amount, Reserved: r.Reserved, Returned: r.Returned, Cause: r.Cause, Q850: r.Q850,
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("%+v, want %+v", got, test.want)
			}
			if row := r.Row(); len(row) != len(Columns) || row[13] != "0" && Columns[13] != "amount" {
				t.Errorf("%d columns of %d", len(row), len(Columns))
			}
		})
	}
}
