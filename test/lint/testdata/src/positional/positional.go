package positional

type five struct{ a, b, c, d, e int }

var (
	_ = five{1, 2, 3, 4, 5} // want `a literal of 5 fields without their names`
	_ = []*five{
		{1, 2, 3, 4, 5}, // want `a literal of 5 fields without their names`
		{a: 1, b: 2, c: 3, d: 4, e: 5},
	}
	_ = []int{1, 2, 3, 4, 5}
)
