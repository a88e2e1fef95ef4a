// Package label is what the fixture of labels needs of it.
package label

func Method(name string) string { return name }
