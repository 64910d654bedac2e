// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"math"
	"time"

	"github.com/waybill-go/waybill/internal/bounded"
	"github.com/waybill-go/waybill/stages"
)

// The values of the label carrier.
const (
	carrierKafka   = "kafka"
	carrierMongoDB = "mongodb"
)

// travels measure how long data is on its way, by the stage that runs where it
// arrives. The names of stages come from the program, which has few.
type travels struct {
	ends *bounded.Table[stageName, *timer]
	hops *bounded.Table[hop, *timer]
}

// stageName is empty where no stage runs.
type stageName struct{ pipeline, stage string }

// hop is a way between two processes.
type hop struct {
	to      stageName
	carrier string
}

func newTravels(m *Metrics) *travels {
	return &travels{
		ends: bounded.NewTable(math.MaxInt, func(to stageName) *timer {
			return newTimer(m.series.endToEnd.WithLabelValues(to.pipeline, to.stage), m.config)
		}),
		hops: bounded.NewTable(math.MaxInt, func(h hop) *timer {
			return newTimer(m.series.hop.WithLabelValues(h.to.pipeline, h.to.stage, h.carrier), m.config)
		}),
	}
}

// endToEnd returns what times the ends of a stage.
func (t *travels) endToEnd(pipeline, stage string) *timer {
	timer, _ := t.ends.Get(stageName{pipeline, stage})
	return timer
}

// arrived observes data that a carrier brought.
func (t *travels) arrived(ctx context.Context, carrier string, sinceSent, sinceOrigin time.Duration) {
	stage := stages.FromContext(ctx).Stage()
	to := stageName{stage.Pipeline(), stage.Name()}
	timer, _ := t.hops.Get(hop{to, carrier})
	timer.observe(ctx, sinceSent)
	t.endToEnd(to.pipeline, to.stage).observe(ctx, sinceOrigin)
}
