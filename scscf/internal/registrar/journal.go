package registrar

// journal is told of every change of a registration, under no lock.
type journal interface {
	record(before, after *Registration)
}

// forgetful keeps nothing over a restart.
type forgetful struct{}

func (forgetful) record(_, _ *Registration) {}
