// Package config loads a function's configuration: the defaults, then its YAML file, then the environment. An unknown key or a value
// that cannot be parsed is an error that shows the line.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Validator is a configuration that can check itself.
type Validator interface{ Validate() error }

// Load overwrites the defaults in into with the YAML file at path, unless path is empty, and with the variables of environment
// ("NAME=value") whose names begin with prefix. An unknown key, in the file or under the prefix, is an error.
func Load(path, prefix string, environment []string, into Validator) error {
	if path != "" {
		file, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("config: %w", err)
		}

		if err := decode(file, into); err != nil {
			return fmt.Errorf("config: %s: %w", path, err)
		}
	}

	if err := override(into, prefix, environment); err != nil {
		return fmt.Errorf("config: environment: %w", err)
	}

	if err := into.Validate(); err != nil {
		return fmt.Errorf("config: %w", err)
	}

	return nil
}

func decode(file []byte, into any) error {
	decoder := yaml.NewDecoder(bytes.NewReader(file), yaml.Strict())

	switch err := decoder.Decode(into); {
	case errors.Is(err, io.EOF): // an empty file changes nothing
		return nil
	case err != nil:
		return locate(file, into, err)
	}

	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return errors.New("more than one YAML document in the file")
	}

	return nil
}

// locate adds to an error the line of the file. The decoder knows it for unknown keys and plain types. For values that parse
// themselves, such as durations and addresses, locate decodes each setting alone to find the one that fails.
func locate(file []byte, into any, err error) error {
	var positioned yaml.Error
	if errors.As(err, &positioned) {
		return errors.New(yaml.FormatError(err, false, true))
	}

	for _, key := range Keys(into) {
		path, pathErr := yaml.PathString("$." + key.Path)
		if pathErr != nil {
			continue
		}

		node, nodeErr := path.ReadNode(bytes.NewReader(file))
		if nodeErr != nil || yaml.NodeToValue(node, reflect.New(key.value.Type()).Interface()) == nil {
			continue
		}

		if source, sourceErr := path.AnnotateSource(file, false); sourceErr == nil {
			return fmt.Errorf("line %d: %s: %w\n%s", node.GetToken().Position.Line, key.Path, err, source)
		}
	}

	return err
}

// override sets the settings that the environment names. A value is YAML, so that "30s", "true" and "[a, b]" all work.
func override(into any, prefix string, environment []string) error {
	leaves := map[string]Key{}
	for _, key := range Keys(into) {
		leaves[prefix+variable(key.Path)] = key
	}

	for _, pair := range slices.Sorted(slices.Values(environment)) {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, prefix) {
			continue
		}

		key, known := leaves[name]
		if !known {
			return fmt.Errorf("%s names no setting", name)
		}

		if err := set(key.value, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}

	return nil
}

func set(leaf reflect.Value, value string) error {
	if leaf.Kind() == reflect.String && !implementsText(leaf.Type()) {
		leaf.SetString(value) // taken as it is: a token may look like YAML
		return nil
	}

	return decode([]byte(value), leaf.Addr().Interface())
}

// variable turns "diameter.origin_host" into "DIAMETER_ORIGIN_HOST".
func variable(path string) string {
	return strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// Print writes a configuration as YAML that Load accepts.
func Print(w io.Writer, c any) error {
	var b bytes.Buffer
	if err := yaml.NewEncoder(&b, yaml.IndentSequence(true)).Encode(c); err != nil {
		return fmt.Errorf("config: %w", err)
	}

	_, err := w.Write(b.Bytes())

	return err
}
