// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"

	"github.com/waybill-go/waybill/internal/safe"
	"github.com/waybill-go/waybill/observe"
)

// maxDatasets is how many inputs and how many outputs a run has.
const maxDatasets = 32

// Dataset describes what a run reads or writes: a table, a topic, a file. All fields
// are optional. They are attributes of the span, and never labels.
type Dataset struct {
	// Name names the dataset: orders, or shop.public.orders.
	Name string
	// Format is how the data is encoded: csv, parquet, json, avro.
	Format string
	// Path is where the data is: a path, or a URL such as s3://lake/orders/day=1 or
	// postgres://db:5432/shop. User information, the query and the fragment of a URL
	// are removed, because they hold secrets.
	Path string
	// Rows and Bytes are how many the run has read or written of it.
	Rows, Bytes int64
}

// Input records that the run reads d. If the run has an input with the same name,
// format and path already, the rows and bytes of d are added to it, so a function may
// report a dataset in pieces. Rows and bytes of a dataset are not counted as rows and
// bytes of the run.
//
// The datasets are written to the span when the run ends. A run has at most 32 inputs;
// further ones are ignored and counted as dropped telemetry, and so are numbers below
// zero.
func (r *Run) Input(d Dataset) {
	if !r.isZero() {
		r.addDataset(dataIn, d)
	}
}

// Output records that the run writes d. In all else it is like [Run.Input].
func (r *Run) Output(d Dataset) {
	if !r.isZero() {
		r.addDataset(dataOut, d)
	}
}

func (r *Run) addDataset(to direction, d Dataset) {
	if d.Rows < 0 || d.Bytes < 0 {
		r.stage.dropped(observe.DropNegative)
		d.Rows, d.Bytes = max(d.Rows, 0), max(d.Bytes, 0)
	}
	if r.call.datasets.Load() == nil {
		r.call.datasets.CompareAndSwap(nil, new(datasets))
	}
	if !r.call.datasets.Load().add(to, d.cleaned()) {
		r.stage.dropped(observe.DropDataset)
	}
}

// cleaned returns d without secrets and with texts of a limited size.
func (d Dataset) cleaned() Dataset {
	d.Name = safe.Text(withoutSecrets(d.Name), safe.MaxName)
	d.Format = safe.Text(d.Format, safe.MaxName)
	d.Path = safe.Text(withoutSecrets(d.Path), safe.MaxValue)
	return d
}

// direction is where the data of a dataset goes.
type direction int

const (
	dataIn direction = iota
	dataOut
	directions
)

// datasets are the inputs and outputs of a run.
type datasets struct {
	mu  sync.Mutex
	all [directions][]Dataset
}

// add reports whether there was room for d.
func (s *datasets) add(to direction, d Dataset) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.all[to] {
		known := &s.all[to][i]
		if known.Name == d.Name && known.Format == d.Format && known.Path == d.Path {
			known.Rows += d.Rows
			known.Bytes += d.Bytes
			return true
		}
	}
	if len(s.all[to]) == maxDatasets {
		return false
	}
	s.all[to] = append(s.all[to], d)
	return true
}

// attributes returns the datasets as attributes: an attribute for each field, with a
// value for each dataset. Fields that no dataset has are left out.
func (s *datasets) attributes() (attributes []attribute.KeyValue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for to, all := range s.all {
		keys := &datasetKeys[to]
		attributes = appendField(attributes, all, keys.names, attribute.Key.StringSlice, func(d *Dataset) string { return d.Name })
		attributes = appendField(attributes, all, keys.formats, attribute.Key.StringSlice, func(d *Dataset) string { return d.Format })
		attributes = appendField(attributes, all, keys.paths, attribute.Key.StringSlice, func(d *Dataset) string { return d.Path })
		attributes = appendField(attributes, all, keys.rows, attribute.Key.Int64Slice, func(d *Dataset) int64 { return d.Rows })
		attributes = appendField(attributes, all, keys.bytes, attribute.Key.Int64Slice, func(d *Dataset) int64 { return d.Bytes })
	}
	return attributes
}

// appendField appends the attribute of one field of all datasets.
func appendField[T comparable](
	attributes []attribute.KeyValue, all []Dataset, key attribute.Key,
	toAttribute func(attribute.Key, []T) attribute.KeyValue, field func(*Dataset) T,
) []attribute.KeyValue {
	var values []T
	var zero T
	known := false
	for i := range all {
		value := field(&all[i])
		values = append(values, value)
		known = known || value != zero
	}
	if !known {
		return attributes
	}
	return append(attributes, toAttribute(key, values))
}

// withoutSecrets returns the path or URL text without user information, query and
// fragment, and a data source name such as user:password@tcp(db:3306)/shop without its
// user. It returns nothing for a text that names a password otherwise.
func withoutSecrets(text string) string {
	scheme, rest, isURL := strings.Cut(text, "://")
	switch {
	case isURL:
		text = scheme + "://" + beforeAny(withoutUser(rest), "?#")
	case strings.Contains(text, "@"):
		text = withoutUser(text)
	}
	for _, word := range []string{"password=", "pwd="} {
		if strings.Contains(strings.ToLower(text), word) {
			return ""
		}
	}
	return text
}

// withoutUser returns an authority and what follows it without the user information.
// If a password that is not escaped contains / or ?, it ends at the only @, or else
// nothing is returned.
func withoutUser(text string) string {
	authority := beforeAny(text, "/?#")
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		return text[i+1:]
	}
	user, port, ok := strings.Cut(authority, ":")
	isHost := !ok || strings.HasPrefix(user, "[") || strings.Trim(port, "0123456789") == ""
	_, after, ok := strings.Cut(text, "@")
	switch {
	case isHost || !ok:
		return text
	case strings.Contains(after, "@"):
		return ""
	default:
		return after
	}
}

// beforeAny returns what comes before the first of chars in text.
func beforeAny(text, chars string) string {
	if i := strings.IndexAny(text, chars); i >= 0 {
		return text[:i]
	}
	return text
}
