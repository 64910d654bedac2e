// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Sniffed is how many bytes of a file [IsJSON] looks at.
const Sniffed = 1 << 20

// IsJSON reports whether a file that begins with head is a catalog in JSON.
func IsJSON(head []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")) && bytes.Contains(head, []byte(`"waybill_catalog"`))
}

// maxSize is the largest catalog that is read.
const maxSize = 256 << 20

// Read reads a catalog in JSON. Fields that are not known
// are ignored.
func Read(r io.Reader) (*Catalog, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSize {
		return nil, errors.New("the catalog is larger than 256 MB")
	}
	c := &Catalog{}
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fmt.Errorf("damaged catalog: %w", err)
	}
	switch {
	case c.Version < 1:
		return nil, errors.New("damaged catalog: it has no version")
	case c.Version > Version:
		return nil, fmt.Errorf("the catalog has version %d, and this program reads versions up to %d: a newer waybill has written it", c.Version, Version)
	}
	return c, c.check()
}

// check reports what a catalog cannot hold.
func (c *Catalog) check() error {
	edges := make(map[[4]string]bool, len(c.Edges))
	for i := range c.Edges {
		e := &c.Edges[i]
		if edges[e.key()] {
			return fmt.Errorf("damaged catalog: the edge %q is listed twice", e.name())
		}
		edges[e.key()] = true
		if min(e.Hops, e.Linked, e.Failed, e.Skewed, e.Broken) < 0 || max(e.Linked, e.Failed, e.Skewed) > e.Hops {
			return fmt.Errorf("damaged catalog: the edge %q has impossible counts", e.name())
		}
	}
	services := make(map[string]bool, len(c.Services))
	for _, s := range c.Services {
		if services[s.Name] || s.Failed < 0 || s.Failed > s.Spans {
			return fmt.Errorf("damaged catalog: the service %q is listed twice or has impossible counts", s.Name)
		}
		services[s.Name] = true
	}
	destinations := make(map[[2]string]bool, len(c.Destinations))
	for _, d := range c.Destinations {
		if destinations[d.key()] {
			return fmt.Errorf("damaged catalog: the destination %q is listed twice", d.name())
		}
		destinations[d.key()] = true
	}
	return nil
}
