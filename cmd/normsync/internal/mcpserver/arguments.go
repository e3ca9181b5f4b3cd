package mcpserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/normsync/normsync/internal/strictjson"
)

const (
	// maxText limits the length of an argument, in bytes. What agents do is
	// recorded, so nobody may fill the store by a few calls.
	maxText = 8 << 10

	// maxItems limits the number of elements of an argument that is a list.
	maxItems = 1000
)

// readArguments reads the arguments of a call into the struct that in points to.
// It refuses arguments that the schema does not name, that are missing, given
// twice, or of another type. A null is an argument that is not given, since
// OpenAI's strict functions send one for each optional argument.
func readArguments(raw json.RawMessage, schema *jsonschema.Schema, in any) error {
	given, err := readObject(raw)
	if err != nil {
		return err
	}
	values := map[string]json.RawMessage{}
	for _, a := range given {
		property, known := schema.Properties[a.name]
		if !known {
			return fmt.Errorf("unknown argument %s; the arguments are: %s", quote(a.name), strings.Join(schema.PropertyOrder, ", "))
		}
		if _, twice := values[a.name]; twice {
			return fmt.Errorf("argument %s is given twice; give it once", a.name)
		}
		values[a.name] = a.value
		if string(a.value) == "null" {
			continue
		}
		if err := checkArgument(property, a.value); err != nil {
			return fmt.Errorf("argument %s: %w", a.name, err)
		}
	}
	for name, value := range values {
		if string(value) == "null" {
			delete(values, name)
		}
	}
	for _, name := range schema.Required {
		if values[name] == nil {
			return fmt.Errorf("argument %s is missing; it is required: %s", name, schema.Properties[name].Description)
		}
	}
	object, err := json.Marshal(values)
	if err != nil {
		return err
	}
	return json.Unmarshal(object, in)
}

type argument struct {
	name  string
	value json.RawMessage
}

// readObject returns the members of a JSON object, in order. Nothing, and null,
// are an object without members.
func readObject(raw json.RawMessage) ([]argument, error) {
	if text := bytes.TrimSpace(raw); len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, errors.New("the arguments are not a JSON object; give an object with a member for each argument")
	}
	var members []argument
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("the arguments are not valid JSON: %w", err)
		}
		m := argument{name: key.(string)} // the decoder takes nothing else for a key
		if err := dec.Decode(&m.value); err != nil {
			return nil, fmt.Errorf("the arguments are not valid JSON: %w", err)
		}
		members = append(members, m)
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("the arguments are not valid JSON: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("something follows the object with the arguments; give a single object")
	}
	return members, nil
}

// checkArgument says whether a value is as its schema demands, in words that an
// assistant understands.
func checkArgument(property *jsonschema.Schema, value json.RawMessage) error {
	switch property.Type {
	case "string":
		d := strictjson.NewDecoder(value)
		if d.PeekKind() != '"' {
			return fmt.Errorf("%s is not a text; give a JSON string", quote(string(value)))
		}
		s, err := d.ReadString()
		if err != nil { // the text was JSON before, so it is this
			return errors.New("it is not valid UTF-8, or half of a surrogate pair; give whole characters")
		}
		if len(s) > maxText {
			return fmt.Errorf("it has %d bytes; give at most %d", len(s), maxText)
		}
		if property.Enum != nil && !slices.Contains(property.Enum, any(s)) {
			return fmt.Errorf("%s is none of the possible values: %s", quote(s), joinValues(property.Enum))
		}
	case "integer":
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			return fmt.Errorf("%s is not a whole number; give a JSON number", quote(string(value)))
		}
		if lo := property.Minimum; lo != nil && float64(n) < *lo {
			return fmt.Errorf("%d is too small; give at least %.0f", n, *lo)
		}
		if hi := property.Maximum; hi != nil && float64(n) > *hi {
			return fmt.Errorf("%d is too large; give at most %.0f", n, *hi)
		}
	case "boolean":
		var b bool
		if json.Unmarshal(value, &b) != nil {
			return fmt.Errorf("%s is neither true nor false; give a JSON boolean", quote(string(value)))
		}
	case "array":
		var items []json.RawMessage
		if json.Unmarshal(value, &items) != nil {
			return fmt.Errorf("%s is not a list; give a JSON array", quote(string(value)))
		}
		if len(items) > maxItems {
			return fmt.Errorf("it has %d elements; give at most %d", len(items), maxItems)
		}
		for i, item := range items {
			if err := checkArgument(property.Items, item); err != nil {
				return fmt.Errorf("element %d: %w", i+1, err)
			}
		}
	default:
		return fmt.Errorf("arguments of type %q are not supported", property.Type)
	}
	return nil
}

func joinValues(values []any) string {
	var texts []string
	for _, v := range values {
		texts = append(texts, fmt.Sprint(v))
	}
	return strings.Join(texts, ", ")
}
