package normsync

import (
	"fmt"
	"iter"
	"reflect"
	"time"
)

// fieldsOf yields the fields of a struct by name, given a pointer to it. It goes
// into the structs of this package, so that a name can be "Action.Agent".
func fieldsOf(pointer any) iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		var walk func(prefix string, v reflect.Value) bool
		walk = func(prefix string, v reflect.Value) bool {
			for i := range v.NumField() {
				name, field := prefix+v.Type().Field(i).Name, v.Field(i)
				if field.Kind() == reflect.Struct && field.Type() != reflect.TypeFor[time.Time]() {
					if !walk(name+".", field) {
						return false
					}
				} else if !yield(name, field) {
					return false
				}
			}
			return true
		}
		walk("", reflect.ValueOf(pointer).Elem())
	}
}

// eachFieldSet yields copies of a struct in which one field has another value.
func eachFieldSet[T any](base T) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		v := base
		for name, field := range fieldsOf(&v) {
			switch old := field.Interface().(type) {
			case ChangeKind:
				field.Set(reflect.ValueOf(KindRepeal))
			case Severity:
				field.Set(reflect.ValueOf(SeverityError))
			case string:
				field.SetString("1") // JSON, too
			case bool:
				field.SetBool(!old)
			case int:
				field.SetInt(1)
			case uint64:
				field.SetUint(1)
			case ID:
				field.Set(reflect.ValueOf(ID{1}))
			case time.Time:
				field.Set(reflect.ValueOf(time.Unix(1, 0).UTC()))
			default:
				panic(fmt.Sprintf("a field of type %T", old))
			}
			if !yield(name, v) {
				return
			}
			v = base
		}
	}
}
