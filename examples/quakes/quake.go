// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/waybill-go/waybill/carriers/mongocarrier"
	"github.com/waybill-go/waybill/stages"
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

const errMalformed rejection = "malformed"

func (r rejection) Error() string { return string(r) }

// The checks that an event must pass to be a quake.
var eventChecks = []stages.Check[event]{
	stages.NewCheck("earthquake", func(e event) bool { return e.Properties.Type == "earthquake" }),
	stages.NewCheck("underground", func(e event) bool { return e.Geometry.Coordinates[2] >= 0 }),
}

// rejections says of each check what an event is that does not pass it.
var rejections = map[string]rejection{
	"earthquake":  "not an earthquake",
	"underground": "above ground",
}

// newEvent returns the event of a message, or a [rejection] if it holds none.
func newEvent(text []byte) (e event, err error) {
	if json.Unmarshal(text, &e) != nil {
		return e, errMalformed
	}
	return e, nil
}

// newQuake returns the quake of an event that has passed the checks.
func newQuake(e event) quake {
	return quake{
		ID:        e.ID,
		Magnitude: e.Properties.Magnitude,
		DepthKm:   e.Geometry.Coordinates[2],
		Region:    regionOf(e.Properties.Place),
		Place:     e.Properties.Place,
		Time:      time.UnixMilli(e.Properties.Time).UTC(),
	}
}

// regionOf returns the region of a place: Taiwan for "17km E of Hualian, Taiwan".
func regionOf(place string) string {
	return strings.TrimSpace(place[strings.LastIndex(place, ",")+1:])
}
