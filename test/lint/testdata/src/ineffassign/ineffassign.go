package ineffassign

func lost() int {
	n := 1 // want `ineffectual assignment to n`
	n = 2

	return n
}
