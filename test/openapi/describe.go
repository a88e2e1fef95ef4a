// Package openapi makes the description of an admin HTTP (OpenAPI 3.1) of what a function serves, and holds what passes between clients
// and the function to it.
package openapi

import (
	"bytes"
	"encoding"
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/dialtone-ims/dialtone/pkg/httpapi"
)

const (
	module = "github.com/dialtone-ims/dialtone"
	about  = "Everybody in admin.allow_from may ask for health, readiness and metrics; all else needs the token of the function. The Host " +
		"of a request is an address, localhost, the machine's own name, or one of admin.names. Errors are problem documents (RFC 9457)."
)

type object = map[string]any

// Describe describes resources. Comments of the types' sources, below root, become the descriptions of their fields.
func Describe(title, root string, resources []httpapi.Resource) ([]byte, error) {
	d, err := newDescription(root)
	if err != nil {
		return nil, err
	}

	paths := object{}

	for _, r := range resources { // of answers first: their types have the plain names
		method, path := r.Path()

		item, _ := paths[path].(object)
		if item == nil {
			item = object{}
			paths[path] = item
		}

		item[strings.ToLower(method)] = d.operation(method, path, r)
	}

	for _, r := range resources {
		if r.Body == nil {
			continue
		}

		method, path := r.Path()
		content := object{"application/json": object{"schema": d.body(r.Body)}}

		if r.XML {
			content["application/xml"] = object{"schema": object{"type": "string"}}
		}

		paths[path].(object)[strings.ToLower(method)].(object)["requestBody"] = object{"required": true, "content": content}
	}

	text, err := json.Marshal(object{
		"openapi": "3.1.0",
		"info": object{
			"title": title, "version": "1", "description": about, "license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"paths": paths,
		"components": object{
			"schemas":   d.schemas,
			"responses": d.problems,
			"securitySchemes": object{"token": object{
				"type": "http", "scheme": "bearer", "description": "of admin.token, or of the file admin.token_file",
			}},
		},
		"security": []object{{"token": []string{}}},
	})
	if err != nil {
		return nil, err
	}

	var indented bytes.Buffer

	err = json.Indent(&indented, bytes.ReplaceAll(text, []byte(`"#/$defs/`), []byte(`"#/components/schemas/`)), "", "  ")
	indented.WriteByte('\n')

	return indented.Bytes(), err
}

type description struct {
	schemas  object
	problems object
	answered map[string]reflect.Type // what a name of schemas stands for, in answers
	answers  jsonschema.Reflector
	bodies   jsonschema.Reflector
}

func newDescription(root string) (*description, error) {
	d := &description{schemas: object{}, problems: object{}, answered: map[string]reflect.Type{}}
	d.answers = jsonschema.Reflector{Anonymous: true, Mapper: texts, Namer: d.name}

	if err := d.answers.AddGoComments(module, root); err != nil {
		return nil, err
	}

	d.bodies = jsonschema.Reflector{
		Anonymous: true, Mapper: texts, RequiredFromJSONSchemaTags: true, CommentMap: d.answers.CommentMap, Namer: func(t reflect.Type) string {
			if name := d.name(t); d.schemas[name] != nil {
				return name + "Body"
			}

			return d.name(t)
		},
	}

	return d, nil
}

// texts returns the types that JSON has as texts, or as decimals, of their own form.
func texts(t reflect.Type) *jsonschema.Schema {
	if t.Kind() == reflect.Struct && t.PkgPath() != "time" && t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
		return &jsonschema.Schema{Type: "string"}
	}

	if t.Kind() == reflect.Int64 && t.PkgPath() != "time" && t.Implements(reflect.TypeFor[json.Marshaler]()) { // a decimal
		return &jsonschema.Schema{Type: "number"}
	}

	return nil
}

// name is that of the type; of two with one name, the second has its package in front.
func (d *description) name(t reflect.Type) string {
	name := t.Name()
	if name == "" {
		return ""
	}

	name = strings.ToUpper(name[:1]) + name[1:]

	if other := d.answered[name]; other != nil && other != t {
		folder := t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:]
		return strings.ToUpper(folder[:1]) + folder[1:] + name
	}

	d.answered[name] = t

	return name
}

func (d *description) reflect(r *jsonschema.Reflector, v any) *jsonschema.Schema {
	schema := r.ReflectFromType(reflect.TypeOf(v))
	for name, one := range schema.Definitions {
		d.schemas[name] = one
	}

	schema.Definitions, schema.Version = nil, ""

	return schema
}

func (d *description) body(v any) *jsonschema.Schema { return d.reflect(&d.bodies, v) }

var segment = regexp.MustCompile(`\{(\w+)\}`)

func (d *description) operation(method, path string, r httpapi.Resource) object {
	words := regexp.MustCompile(`\w+`).FindAllString(strings.ToLower(method)+path, -1)
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}

	parameters := []object{}
	for _, name := range segment.FindAllStringSubmatch(path, -1) {
		parameters = append(parameters, object{"name": name[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}

	for _, p := range r.Query {
		parameters = append(parameters, object{"name": p.Name, "in": "query", "description": p.Summary, "schema": values(p)})
	}

	o := object{"operationId": strings.Join(words, ""), "summary": r.Summary, "parameters": parameters, "responses": d.responses(r)}
	if r.Open {
		o["security"] = []object{}
	}

	return o
}

func values(p httpapi.Parameter) object {
	switch {
	case p.Number:
		schema := object{"type": "integer", "minimum": p.Least, "maximum": p.Most}
		if p.Usual > 0 {
			schema["default"] = p.Usual
		}

		return schema
	case len(p.Values) > 0:
		return object{"type": "string", "enum": p.Values}
	default:
		return object{"type": "string"}
	}
}

func (d *description) responses(r httpapi.Resource) object {
	responses := object{}

	for _, a := range r.Answers {
		status := strconv.Itoa(a.Status)

		response, _ := responses[status].(object)
		if response == nil {
			response = object{"description": http.StatusText(a.Status)}
			responses[status] = response
		}

		if a.Lists {
			response["headers"] = object{"Link": object{
				"description": "what is not shown: the same request from there on, with the relation next (RFC 8288)",
				"schema":      object{"type": "string"},
			}}
		}

		d.content(response, a)
	}

	for _, status := range refused(r) {
		if responses[strconv.Itoa(status)] == nil {
			responses[strconv.Itoa(status)] = object{"$ref": "#/components/responses/" + d.problem(status)}
		}
	}

	return responses
}

// problem returns the name of the answer that all resources have in common that refuse with a status.
func (d *description) problem(status int) string {
	name := strings.ReplaceAll(http.StatusText(status), " ", "")
	d.problems[name] = object{
		"description": http.StatusText(status),
		"content":     object{"application/problem+json": object{"schema": d.reflect(&d.answers, httpapi.Error{})}},
	}

	return name
}

func (d *description) content(response object, a httpapi.Answer) {
	if a.Body == nil && a.Type == "" {
		return
	}

	content, _ := response["content"].(object)
	if content == nil {
		content = object{}
		response["content"] = content
	}

	if a.Body == nil {
		content[a.Type] = object{}
		return
	}

	schema := any(d.reflect(&d.answers, a.Body))
	if other, found := content["application/json"].(object); found {
		schema = object{"anyOf": []any{other["schema"], schema}}
	}

	content["application/json"] = object{"schema": schema}
}

// refused lists the statuses of problems: those of the resource, and those of the server itself.
func refused(r httpapi.Resource) []int {
	all := append([]int{http.StatusForbidden, http.StatusInternalServerError}, r.Refuses...)

	if !r.Open {
		all = append(all, http.StatusBadRequest, http.StatusUnauthorized, http.StatusUnsupportedMediaType, http.StatusMisdirectedRequest)
	}

	if r.Body != nil {
		all = append(all, http.StatusRequestEntityTooLarge)
	}

	slices.Sort(all)

	return slices.Compact(all)
}
