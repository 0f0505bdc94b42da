package weights

import (
	"fmt"

	"remuda"
	"remuda/internal/disk"
)

// diskError says what to do when there is no space left; other errors keep
// their code.
func diskError(err error, format string, args ...any) error {
	action := fmt.Sprintf(format, args...)
	if disk.Full(err) {
		return remuda.Errorf(remuda.Unavailable, "%s: the disk is full: %w", action, err).WithHint("free some space and try again")
	}
	return fmt.Errorf("%s: %w", action, err)
}
