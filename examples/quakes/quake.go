// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
)

// event is an entry of the catalog, as the Geological Survey publishes it.
type event struct {
	ID         string `json:"_id"`
	Properties struct {
		Magnitude float64 `json:"mag"`
		Place     string  `json:"place"`
		Time      int64   `json:"time"` // In milliseconds since 1970.
		Type      string  `json:"type"`
	} `json:"properties"`
	Geometry struct {
		Coordinates [3]float64 `json:"coordinates"` // Degrees east and north, kilometers down.
	} `json:"geometry"`
}

// quake is an earthquake, as clean loads it into MongoDB.
type quake struct {
	ID        string    `bson:"_id"`
	Magnitude float64   `bson:"magnitude"`
	DepthKm   float64   `bson:"depth_km"`
	Region    string    `bson:"region"`
	Place     string    `bson:"place"`
	Time      time.Time `bson:"time"`

	// Trace carries the context in which the quake was loaded.
	Trace mongocarrier.Field `bson:"_otel,omitempty"`
}

// rejection is the reason for which an event is not a quake. It is the label of a
// metric, so it has few values.
type rejection string

const (
	errNotAnEarthquake rejection = "not an earthquake"
	errAboveGround     rejection = "above ground"
	errMalformed       rejection = "malformed"
)

func (r rejection) Error() string { return string(r) }

// newQuake returns the quake of an event, or a [rejection] if it is not one.
func newQuake(text []byte) (quake, error) {
	var e event
	err := json.Unmarshal(text, &e)
	depth := e.Geometry.Coordinates[2]
	switch {
	case err != nil:
		return quake{}, errMalformed
	case e.Properties.Type != "earthquake":
		return quake{}, errNotAnEarthquake
	case depth < 0:
		return quake{}, errAboveGround
	}
	return quake{
		ID:        e.ID,
		Magnitude: e.Properties.Magnitude,
		DepthKm:   depth,
		Region:    regionOf(e.Properties.Place),
		Place:     e.Properties.Place,
		Time:      time.UnixMilli(e.Properties.Time).UTC(),
	}, nil
}

// regionOf returns the region of a place: Taiwan for "17km E of Hualian, Taiwan".
func regionOf(place string) string {
	return strings.TrimSpace(place[strings.LastIndex(place, ",")+1:])
}
