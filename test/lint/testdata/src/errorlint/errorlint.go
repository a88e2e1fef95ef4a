package errorlint

import (
	"fmt"
	"io"
)

func compared(err error) error {
	if err == io.ErrUnexpectedEOF { // want `comparing with == will fail on wrapped errors`
		return nil
	}

	return fmt.Errorf("read: %v", err) // want `non-wrapping format verb for fmt.Errorf`
}
