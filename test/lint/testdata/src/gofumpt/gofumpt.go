package gofumpt

const private = 0600 // want `not as gofumpt writes it`
