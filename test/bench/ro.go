package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/dialtone-ims/dialtone/pkg/diameter"
	"github.com/dialtone-ims/dialtone/pkg/diameter/ro"
)

// charger is a network function that charges calls over Ro: for each a CCR Initial, an Update and a Terminate. It shares the cores with
// the OCS, and so costs little itself: its messages are made once, and only their numbers are written anew.
type charger struct {
	conn     net.Conn
	in       *bufio.Reader
	made     [3]made // by position in the call
	accounts int
	run      int // of this OCS's ledger, so that no Session-Id is used twice

	mu     sync.Mutex
	out    []byte
	due    []time.Duration // when each request should have gone out, by its Hop-by-Hop Identifier, from the start of the load
	took   []time.Duration // until its answer; 0: none yet
	failed int
	remark string
}

// made is an encoded CCR, with the places of what differs.
type made struct {
	octets          []byte
	session, number int
}

const (
	sessionForm = "bench;%08d;%08d"
	anySession  = "bench;99999999;99999999"
	anyNumber   = "15559999999"
	firstNumber = 15550000000
)

var chargedBy = struct{ host, realm string }{"scscf." + domain, domain}

// newCharger connects to an OCS at an address (RFC 6733 §5.3).
func newCharger(address string, accounts int) (*charger, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}

	c := &charger{conn: conn, in: bufio.NewReaderSize(conn, 1<<18), accounts: accounts}

	cer := message(0x80, capabilitiesExchange, 0, 0,
		text(originHost, chargedBy.host), text(originRealm, chargedBy.realm), attribute(hostIPAddress, []byte{0, 1, 127, 0, 0, 1}),
		number(vendorID, 0), text(productName, "bench"), number(authApplicationID, ro.Application.ID))
	if _, err := conn.Write(cer); err != nil {
		return nil, err
	}

	if code, _, result, err := c.read(); err != nil || code != capabilitiesExchange || result != ro.Success.Code {
		return nil, fmt.Errorf("capabilities exchange with %s: command %d, result %d: %w", address, code, result, err)
	}

	return c, c.make()
}

// make encodes the requests of a call.
func (c *charger) make() error {
	wire, err := diameter.NewDictionary(ro.Application)
	if err != nil {
		return err
	}

	group, quota, used := uint32(100), uint32(60), uint32(30)
	asked, spent := &ro.ServiceUnit{Time: &quota}, []ro.ServiceUnit{{Time: &used}}
	role := ro.OriginatingRole

	for i, services := range []ro.MultipleServicesCreditControl{
		{RatingGroup: &group, Requested: asked}, {RatingGroup: &group, Requested: asked, Used: spent}, {RatingGroup: &group, Used: spent},
	} {
		q := &ro.CCR{
			ServiceContextID: ro.ServiceContextIMS, Type: []ro.RequestType{ro.Initial, ro.Update, ro.Terminate}[i], Number: uint32(i),
			Subscriptions:                 []ro.SubscriptionID{{Type: ro.E164, Data: anyNumber}},
			MultipleServicesCreditControl: []ro.MultipleServicesCreditControl{services},
			ServiceInformation: &ro.ServiceInformation{IMS: &ro.IMSInformation{
				EventType: &ro.EventType{SIPMethod: "INVITE"}, RoleOfNode: &role, NodeFunctionality: ro.NodeSCSCF,
				UserSessionID: "a84b4c76e66710@pc33." + domain, CallingPartyAddresses: []string{"tel:+15550000001"},
				CalledPartyAddress: "tel:+15551234567", IMSChargingIdentifier: "AyretyU0dm+6O2IrT5tAFrbHLso=023551024",
				InterOperatorIdentifiers: []ro.InterOperatorIdentifier{{Originating: domain}},
			}},
		}
		q.SessionID, q.OriginHost, q.OriginRealm, q.DestinationRealm = anySession, chargedBy.host, chargedBy.realm, domain

		m, err := wire.Encode(q)
		if err != nil {
			return err
		}

		octets, err := m.Serialize()
		if err != nil {
			return err
		}

		c.made[i] = made{octets, bytes.Index(octets, []byte(anySession)), bytes.Index(octets, []byte(anyNumber))}
		if min(c.made[i].session, c.made[i].number) < 0 {
			return errors.New("the CCR has no Session-Id, or nobody who pays")
		}
	}

	return nil
}

// put adds a request to what goes out next. The lock is held.
func (c *charger) put(call, position int, due time.Duration) {
	m, at := &c.made[position], len(c.out)
	c.out = append(c.out, m.octets...)
	one := c.out[at:]

	id := uint32(len(c.due))
	binary.BigEndian.PutUint32(one[12:], id)
	binary.BigEndian.PutUint32(one[16:], id)
	copy(one[m.session:], fmt.Appendf(nil, sessionForm, c.run, call))
	strconv.AppendInt(one[m.number:m.number:m.number+len(anyNumber)], firstNumber+int64(call)*7919%int64(c.accounts), 10)

	c.due, c.took = append(c.due, due), append(c.took, 0)
}

// flush sends what was put. The lock is held.
func (c *charger) flush() error {
	_, err := c.conn.Write(c.out)
	c.out = c.out[:0]

	return err
}

// read reads one message: its command, its Hop-by-Hop Identifier, and its Result-Code.
func (c *charger) read() (command, id, result uint32, err error) {
	var header [20]byte
	if _, err := io.ReadFull(c.in, header[:]); err != nil {
		return 0, 0, 0, err
	}

	rest := int(binary.BigEndian.Uint32(header[0:])&0xFFFFFF) - len(header)
	command, id = binary.BigEndian.Uint32(header[4:])&0xFFFFFF, binary.BigEndian.Uint32(header[12:])

	b, err := c.in.Peek(rest)
	if err != nil {
		return 0, 0, 0, err
	}

	for at := 0; at+12 <= len(b); {
		if binary.BigEndian.Uint32(b[at:]) == resultCode {
			result = binary.BigEndian.Uint32(b[at+8:])
			break
		}

		at += (int(binary.BigEndian.Uint32(b[at+4:])&0xFFFFFF) + 3) &^ 3
	}

	if header[4]&0x80 != 0 { // a watchdog's
		command = 0

		if err := c.watched(header); err != nil {
			return 0, 0, 0, err
		}
	}

	_, err = c.in.Discard(rest)

	return command, id, result, err
}

// watched answers a DWR (RFC 6733 §5.5.2).
func (c *charger) watched(header [20]byte) error {
	_, err := c.conn.Write(message(0, deviceWatchdog, binary.BigEndian.Uint32(header[12:]), binary.BigEndian.Uint32(header[16:]),
		number(resultCode, ro.Success.Code), text(originHost, chargedBy.host), text(originRealm, chargedBy.realm)))

	return err
}

// Commands and AVPs of the base protocol that this client writes itself (RFC 6733 §3.1, §4.5).
const (
	capabilitiesExchange = 257
	deviceWatchdog       = 280

	hostIPAddress     = 257
	authApplicationID = 258
	originHost        = 264
	vendorID          = 266
	resultCode        = 268
	productName       = 269
	originRealm       = 296
)

// message returns a message of the base protocol (RFC 6733 §3).
func message(flags byte, command, hopByHop, endToEnd uint32, avps ...[]byte) []byte {
	m := binary.BigEndian.AppendUint32(nil, 0)
	m = binary.BigEndian.AppendUint32(m, uint32(flags)<<24|command)
	m = binary.BigEndian.AppendUint32(m, 0)
	m = binary.BigEndian.AppendUint32(m, hopByHop)
	m = binary.BigEndian.AppendUint32(m, endToEnd)

	for _, a := range avps {
		m = append(m, a...)
	}

	binary.BigEndian.PutUint32(m, 1<<24|uint32(len(m)))

	return m
}

// attribute returns a mandatory AVP, with its padding (RFC 6733 §4.1).
func attribute(code uint32, value []byte) []byte {
	a := binary.BigEndian.AppendUint32(nil, code)
	a = binary.BigEndian.AppendUint32(a, 0x40<<24|uint32(8+len(value)))
	a = append(a, value...)

	return append(a, make([]byte, -len(a)&3)...)
}

func text(code uint32, value string) []byte { return attribute(code, []byte(value)) }

func number(code, value uint32) []byte {
	return attribute(code, binary.BigEndian.AppendUint32(nil, value))
}

// charged is what a load saw.
type charged struct {
	answered, failed int
	remark           string
	length           time.Duration
	half, slow       time.Duration // of the answers took at most so long: 50 %, 99 %
}

// begin forgets the load before.
func (c *charger) begin() {
	c.run++
	c.due, c.took, c.failed, c.remark = nil, nil, 0, ""
}

// pace sends requests at a rate, whether or not answers come: each is as late as its answer is after the time at which it should have
// gone out. The requests of a call are half a second apart.
func (c *charger) pace(rate, seconds int) (charged, error) {
	c.begin()

	calls := rate * seconds / 3
	lag := max(1, rate/6) // calls that begin in half a second
	began := time.Now()
	ended := make(chan error, 1)

	go func() { ended <- c.collect(began, calls*3, nil) }()

	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()

	for next := 0; next < calls+2*lag; {
		now := time.Since(began)

		c.mu.Lock()
		for ; next < calls+2*lag; next++ {
			due := time.Duration(next) * 3 * time.Second / time.Duration(rate)
			if due > now {
				break
			}

			for position := range c.made {
				if call := next - position*lag; call >= 0 && call < calls {
					c.put(call, position, due)
				}
			}
		}

		err := c.flush()
		c.mu.Unlock()

		if err != nil {
			return charged{}, err
		}

		<-tick.C
	}

	if err := <-ended; err != nil {
		return charged{}, err
	}

	return c.result(time.Since(began)), nil
}

// flood has so many calls at a time: each sends its next request when it has the answer to the last.
func (c *charger) flood(calls, window int) (charged, error) {
	c.begin()

	began, next := time.Now(), min(window, calls)
	place := make([]int, 0, calls*3) // of each request: its call, and its position in that

	put := func(call, position int) {
		place = append(place, call*3+position)
		c.put(call, position, time.Since(began))
	}

	c.mu.Lock()
	for call := range next {
		put(call, 0)
	}

	err := c.flush()
	c.mu.Unlock()

	if err != nil {
		return charged{}, err
	}

	err = c.collect(began, calls*3, func(id uint32) {
		switch call, position := place[id]/3, place[id]%3; {
		case position < 2:
			put(call, position+1)
		case next < calls:
			put(next, 0)
			next++
		}
	})
	if err != nil {
		return charged{}, err
	}

	return c.result(time.Since(began)), nil
}

// longest is how long a load may be without any answer.
const longest = 30 * time.Second

// collect reads so many answers. After each, then puts what follows, and that goes out when no further answer is there at once.
func (c *charger) collect(began time.Time, n int, then func(id uint32)) error {
	for n > 0 {
		if err := c.conn.SetReadDeadline(time.Now().Add(longest)); err != nil {
			return err
		}

		command, id, result, err := c.read()
		if err != nil {
			return fmt.Errorf("%d answers are missing: %w", n, err)
		}

		if command == 0 {
			continue
		}

		n--

		c.mu.Lock()
		c.took[id] = max(1, time.Since(began)-c.due[id])

		if result != ro.Success.Code {
			c.failed++
			c.remark = fmt.Sprintf("the last failure: result %d", result)
		}

		if then != nil {
			then(id)

			if c.in.Buffered() == 0 {
				err = c.flush()
			}
		}
		c.mu.Unlock()

		if err != nil {
			return err
		}
	}

	return nil
}

func (c *charger) result(length time.Duration) charged {
	slices.Sort(c.took)

	of := func(part float64) time.Duration {
		return c.took[min(len(c.took)-1, int(math.Ceil(part*float64(len(c.took)))))]
	}

	return charged{answered: len(c.took), failed: c.failed, remark: c.remark, length: length, half: of(0.5), slow: of(0.99)}
}
