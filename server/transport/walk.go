package transport

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Writer writes values in the form of a protocol, in the order in which a message
// is walked.
type Writer interface {
	BeginStruct()
	// BeginMember comes before a member's value, EndMember after it.
	BeginMember(name string)
	EndMember()
	// Absent is a member that has no value.
	Absent(name string)
	EndStruct()
	BeginArray()
	EndArray()
	Null()
	Bool(v bool)
	// Int is a whole number of 64 bits or fewer.
	Int(v int64)
	// Uint is a whole number that may be beyond the reach of Int.
	Uint(v uint64)
	// Double is a number of that many bits, 32 or 64; it may be infinite or none.
	Double(v float64, bits int)
	String(v string)
	Bytes(v []byte)
	Time(v time.Time)
}

// WriteResult writes a response: the value alone where it is [Bare], a struct
// otherwise. Every field is there, zero or not, but those of a oneof that are not
// chosen.
func WriteResult(w Writer, response proto.Message) error {
	message := response.ProtoReflect()
	if field := Bare(message.Descriptor()); field != nil {
		return writeValue(w, field, message.Get(field))
	}
	return writeMessage(w, message)
}

func writeMessage(w Writer, m protoreflect.Message) error {
	switch name := m.Descriptor().FullName(); {
	case name == "google.protobuf.Timestamp":
		fields := m.Descriptor().Fields()
		w.Time(time.Unix(m.Get(fields.ByName("seconds")).Int(), m.Get(fields.ByName("nanos")).Int()).UTC())
		return nil
	case name.Parent() == "google.protobuf":
		return writeWellKnown(w, m)
	}
	w.BeginStruct()
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if field.HasPresence() && !m.Has(field) {
			if oneof := field.ContainingOneof(); oneof == nil || oneof.IsSynthetic() {
				w.Absent(string(field.Name()))
			}
			continue
		}
		w.BeginMember(string(field.Name()))
		if err := writeField(w, field, m.Get(field)); err != nil {
			return err
		}
		w.EndMember()
	}
	w.EndStruct()
	return nil
}

func writeField(w Writer, field protoreflect.FieldDescriptor, value protoreflect.Value) error {
	switch {
	case field.IsList():
		w.BeginArray()
		for i := range value.List().Len() {
			if err := writeValue(w, field, value.List().Get(i)); err != nil {
				return err
			}
		}
		w.EndArray()
		return nil
	case field.IsMap():
		return writeMap(w, field, value.Map())
	}
	return writeValue(w, field, value)
}

func writeMap(w Writer, field protoreflect.FieldDescriptor, entries protoreflect.Map) error {
	keys := make([]protoreflect.MapKey, 0, entries.Len())
	entries.Range(func(key protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, key)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return cmp.Compare(a.String(), b.String()) })
	w.BeginStruct()
	for _, key := range keys {
		w.BeginMember(key.String())
		if err := writeValue(w, field.MapValue(), entries.Get(key)); err != nil {
			return err
		}
		w.EndMember()
	}
	w.EndStruct()
	return nil
}

func writeValue(w Writer, field protoreflect.FieldDescriptor, value protoreflect.Value) error {
	switch field.Kind() {
	case protoreflect.BoolKind:
		w.Bool(value.Bool())
	case protoreflect.EnumKind:
		writeEnum(w, field.Enum(), value.Enum())
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		w.Uint(value.Uint())
	case protoreflect.FloatKind:
		w.Double(value.Float(), 32)
	case protoreflect.DoubleKind:
		w.Double(value.Float(), 64)
	case protoreflect.StringKind:
		w.String(value.String())
	case protoreflect.BytesKind:
		w.Bytes(value.Bytes())
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return writeMessage(w, value.Message())
	default: // the signed whole numbers, of which there are six kinds
		w.Int(value.Int())
	}
	return nil
}

// writeEnum writes the value's name, or its number where this version of the
// contract has no name for it.
func writeEnum(w Writer, enum protoreflect.EnumDescriptor, number protoreflect.EnumNumber) {
	if value := enum.Values().ByNumber(number); value != nil {
		w.String(string(value.Name()))
		return
	}
	w.Int(int64(number))
}

// writeWellKnown writes a message that has a form of its own in protobuf's JSON,
// such as a Duration, in that form.
func writeWellKnown(w Writer, m protoreflect.Message) error {
	text, err := protojson.Marshal(m.Interface())
	if err != nil {
		return fmt.Errorf("writing a %s: %w", m.Descriptor().FullName(), err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return fmt.Errorf("writing a %s: %w", m.Descriptor().FullName(), err)
	}
	writeJSON(w, value)
	return nil
}

func writeJSON(w Writer, value any) {
	switch v := value.(type) {
	case nil:
		w.Null()
	case bool:
		w.Bool(v)
	case string:
		w.String(v)
	case json.Number:
		if whole, err := v.Int64(); err == nil {
			w.Int(whole)
			return
		}
		number, _ := strconv.ParseFloat(v.String(), 64) // beyond the range it is infinite, as it should be
		w.Double(number, 64)
	case []any:
		w.BeginArray()
		for _, item := range v {
			writeJSON(w, item)
		}
		w.EndArray()
	case map[string]any:
		w.BeginStruct()
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			w.BeginMember(name)
			writeJSON(w, v[name])
			w.EndMember()
		}
		w.EndStruct()
	}
}
