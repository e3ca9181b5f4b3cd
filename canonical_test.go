package normsync

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEveryTextAndTimeBecomesCanonical(t *testing.T) {
	n := Norm{}
	r := Revision{Change: Change{Kind: KindEnact}}
	v := Violation{}
	const invalid = "\xff"
	local := time.Unix(1, 0).In(time.FixedZone("east", 3600))
	for _, value := range []any{&n, &r, &v} {
		for name, field := range fieldsOf(value) {
			switch {
			case name == "Change.Kind" || name == "Action.Metadata": // invalid text in these is an error
			case field.Kind() == reflect.String:
				field.SetString(invalid)
			case field.Type() == reflect.TypeFor[time.Time]():
				field.Set(reflect.ValueOf(local))
			}
		}
	}
	canonicalR, err := r.Canonical()
	require.NoError(t, err)
	canonicalV, err := v.Canonical()
	require.NoError(t, err)
	canonicalN := n.canonical()
	for _, value := range []any{&canonicalN, &canonicalR, &canonicalV} {
		for name, field := range fieldsOf(value) {
			if got, ok := field.Interface().(time.Time); ok {
				require.True(t, got == local.UTC(), name)
			} else if field.Kind() == reflect.String {
				require.NotEqual(t, invalid, field.String(), name)
			}
		}
	}
}
