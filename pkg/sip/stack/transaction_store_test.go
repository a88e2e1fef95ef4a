package stack

import (
	"net/netip"
	"sync"
	"testing"

	"github.com/dialtone-ims/dialtone/pkg/sip"
)

// TestOneTransactionOfOneRequest: a request that comes over two sockets at once has one transaction: looking it up and adding it is one
// step.
func TestOneTransactionOfOneRequest(t *testing.T) {
	stack := &Stack{config: DefaultConfig()}

	r, err := sip.NewRequest("MESSAGE", "sip:b@example")
	if err != nil {
		t.Fatal(err)
	}

	const ways = 8

	for range 100 {
		key := sip.NewBranch()

		var group sync.WaitGroup

		together, begun := make(chan struct{}), make(chan *ServerTransaction, ways)
		for range ways {
			group.Go(func() {
				<-together
				if tx, fresh := stack.newServerTransaction(key, r, Flow{}, netip.AddrPort{}); fresh {
					begun <- tx
				}
			})
		}

		close(together)
		group.Wait()

		if len(begun) != 1 {
			t.Fatalf("%d transactions were begun", len(begun))
		}

		if tx := <-begun; stack.transactions.len() != 1 {
			t.Errorf("%d transactions are kept", stack.transactions.len())
		} else {
			tx.terminate()
		}
	}

	if left := stack.transactions.len(); left != 0 {
		t.Errorf("%d transactions are left", left)
	}
}
