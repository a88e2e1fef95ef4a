// Package sip is what the fixture of labels needs of it.
package sip

type Refuser struct{}

func (Refuser) Refuse(procedure string, status int) {}
