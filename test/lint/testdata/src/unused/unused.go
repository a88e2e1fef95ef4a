package unused

func nobody() {} // want `func nobody is unused`

// Somebody is others'.
func Somebody() {}
