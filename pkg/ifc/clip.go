package ifc

// clip keeps what others sent short in an error.
func clip(s string) string {
	const enough = 100

	if len(s) > enough {
		return s[:enough] + "…"
	}

	return s
}
