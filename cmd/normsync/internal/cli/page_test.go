package cli_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPageNeedsAFolder(t *testing.T) {
	inEmptyFolder(t)
	r := run(t, "", "page")
	require.Equal(t, 2, r.code)
	require.Contains(t, r.stderr, "page: --out is missing; name a folder to write to")
	requireNoFiles(t)
}
