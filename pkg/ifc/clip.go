package ifc

// clip shortens received text for an error.
func clip(s string) string {
	const enough = 100

	if len(s) > enough {
		return s[:enough] + "…"
	}

	return s
}
