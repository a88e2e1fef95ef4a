package nolintlint

var _ = 1 //nolint // want `says of which linter and why`

var _ = 3 //nolint:lll // one line of an example
