package rating

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// day is one entry of a calendar: whether a date is one.
type day func(year int, month time.Month, date int) bool

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

var months = []string{"", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}

// parseDay reads an entry of a calendar: 12-25 every year, 2026-05-01 once, easter-2, "4 thu nov" or "last mon may".
func parseDay(text string) (day, error) {
	if rest, moving := strings.CutPrefix(text, "easter"); moving {
		offset := 0

		if rest != "" {
			var err error
			if offset, err = strconv.Atoi(rest); err != nil || rest[0] != '+' && rest[0] != '-' || offset < -100 || offset > 250 {
				return nil, fmt.Errorf("%q is not easter and a number of days, as easter-2 or easter+39", text)
			}
		}

		return func(year int, month time.Month, date int) bool {
			m, d := easter(year)
			at := time.Date(year, m, d+offset, 0, 0, 0, 0, time.UTC)

			return at.Month() == month && at.Day() == date
		}, nil
	}

	if at, err := time.Parse("2006-01-02", text); err == nil {
		return func(year int, month time.Month, date int) bool {
			return year == at.Year() && month == at.Month() && date == at.Day()
		}, nil
	}

	if at, err := time.Parse("2006-01-02", "2000-"+text); err == nil { // a leap year
		return func(_ int, month time.Month, date int) bool { return month == at.Month() && date == at.Day() }, nil
	}

	return parseNth(text)
}

// parseNth reads "4 thu nov".
func parseNth(text string) (day, error) {
	bad := fmt.Errorf("%q is no day: 12-25, 2026-05-01, easter+1, \"4 thu nov\" or \"last mon may\"", text)

	words := strings.Fields(text)
	if len(words) != 3 {
		return nil, bad
	}

	which := slices.Index([]string{"last", "1", "2", "3", "4", "5"}, words[0])
	weekday, month := slices.Index(weekdays, words[1]), slices.Index(months, words[2])

	if which < 0 || weekday < 0 || month < 1 {
		return nil, bad
	}

	return func(year int, m time.Month, date int) bool {
		if int(m) != month || int(time.Date(year, m, date, 0, 0, 0, 0, time.UTC).Weekday()) != weekday {
			return false
		}

		if which == 0 {
			return time.Date(year, m, date+7, 0, 0, 0, 0, time.UTC).Month() != m
		}

		return (date-1)/7+1 == which
	}, nil
}

// easter returns Easter Sunday of the Gregorian calendar (the anonymous algorithm of 1876).
func easter(year int) (time.Month, int) {
	a, b, c := year%19, year/100, year%100
	d, e, f := b/4, b%4, (b+8)/25
	g := (b - f + 1) / 3
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114

	return time.Month(n / 31), n%31 + 1
}

const wholeDay = 24 * 60 * 60

// window is a Period that can be asked.
type window struct {
	from, to   int // seconds of the day; 0 and wholeDay: all of it
	days       [7]bool
	on, except [][]day
}

// parseClock reads a time of the day.
func parseClock(text string) (int, error) {
	if text == "24:00" {
		return wholeDay, nil
	}

	for _, form := range []string{"15:04", "15:04:05"} {
		if at, err := time.Parse(form, text); err == nil && len(text) == len(form) {
			return at.Hour()*3600 + at.Minute()*60 + at.Second(), nil
		}
	}

	return 0, fmt.Errorf("%q is no time of the day, as 08:00", text)
}

// holds reports whether a local time is in the window.
func (w *window) holds(l local) bool {
	if w.from < w.to {
		return l.second >= w.from && l.second < w.to && w.onDay(l.date)
	}

	return l.second >= w.from && w.onDay(l.date) || l.second < w.to && w.onDay(l.date.AddDate(0, 0, -1))
}

func (w *window) onDay(date time.Time) bool {
	if !w.days[date.Weekday()] {
		return false
	}

	in := func(calendars [][]day) bool {
		year, month, d := date.Date()

		return slices.ContainsFunc(calendars, func(days []day) bool {
			return slices.ContainsFunc(days, func(is day) bool { return is(year, month, d) })
		})
	}

	return (len(w.on) == 0 || in(w.on)) && !in(w.except)
}

// local is an instant as the clocks of a zone show it.
type local struct {
	date   time.Time // midnight of the day, in UTC
	second int       // of the day, by the clock
}

func localOf(at time.Time, zone *time.Location) local {
	at = at.In(zone)
	year, month, d := at.Date()

	return local{time.Date(year, month, d, 0, 0, 0, 0, time.UTC), at.Hour()*3600 + at.Minute()*60 + at.Second()}
}

// clock is the times of the day at which something may begin or end in a zone.
type clock struct {
	zone  *time.Location
	marks []int // seconds of the day, in order; the last one is wholeDay
}

// next returns the next instant at which one of the marks is reached, or the clocks are changed. The hour that clocks show twice counts
// twice, and the one that they leave out not at all.
func (c *clock) next(at time.Time) time.Time {
	now := localOf(at, c.zone).second
	mark := c.marks[slices.IndexFunc(c.marks, func(m int) bool { return m > now })]
	next := at.Truncate(time.Second).Add(time.Duration(mark-now) * time.Second)

	if _, change := at.In(c.zone).ZoneBounds(); !change.IsZero() && change.Before(next) {
		return change
	}

	return next
}
