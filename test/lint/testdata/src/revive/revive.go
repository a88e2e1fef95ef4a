package revive

func Silent() {} // want `exported Silent has no comment`

// It says nothing of Wrong.
func Wrong() {} // want `the comment of Wrong begins with "It"`

// Right is as it should be.
func Right() {}

type hidden struct{}

func (hidden) Method() {}

// Two numbers.
const (
	First  = 1
	Second = 2
)
