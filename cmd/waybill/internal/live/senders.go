// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"slices"
	"time"

	"github.com/waybill-go/waybill/internal/flow"
)

// recently are the flows that sent to a channel last, in no order.
type recently struct {
	flows []*Flow
	next  int
}

const (
	maxSenders  = 16   // Of a channel,
	maxChannels = 1000 // whose senders are known.
)

// noteSender notes that f sent to a channel: a receiver that has lost the context is
// shown with flows that may have been its own.
func (s *Store) noteSender(f *Flow, channel string) {
	f.sends.add(channel)
	r := s.senders[channel]
	if r == nil {
		if channel == "" || len(s.senders) == maxChannels {
			return
		}
		r = &recently{}
		s.senders[channel] = r
	}
	switch {
	case slices.Contains(r.flows, f):
	case len(r.flows) < maxSenders:
		r.flows = append(r.flows, f)
	default:
		r.flows[r.next] = f
		r.next = (r.next + 1) % maxSenders
	}
}

// maxRelated is how many spans of other flows a flow is examined with.
const maxRelated = 20_000

// related returns the spans of flows that may have sent what f received without a
// context, and did not send itself.
func (s *Store) related(f *Flow) []kept {
	var spans []kept
	seen := map[*Flow]bool{f: true}
	for _, channel := range f.wants {
		r := s.senders[channel.Value()]
		if r == nil || slices.Contains(f.sends, channel) {
			continue
		}
		for _, sender := range r.flows {
			if sender = sender.root(); !seen[sender] && !sender.gone && len(spans)+len(sender.spans) <= maxRelated {
				seen[sender] = true
				spans = append(spans, sender.spans...)
			}
		}
	}
	return spans
}

// durations are how long the last flows of one kind took.
type durations struct {
	took []time.Duration
	next int
}

const (
	maxDurations = 64
	maxKinds     = 1000
	minDurations = 8 // Before one is called slow.
	slowFactor   = 3 // Times the median.
)

// isSlow reports whether f took much longer than others that begin in the same way, of
// which it is one from now on.
func (s *Store) isSlow(f *Flow) bool {
	kind := flow.Mask(f.head.service + "\x00" + f.head.name)
	d := s.usual[kind]
	if d == nil {
		if len(s.usual) == maxKinds {
			return false
		}
		d = &durations{}
		s.usual[kind] = d
	}
	took := f.took()
	slow := false
	if len(d.took) >= minDurations {
		sorted := slices.Sorted(slices.Values(d.took))
		slow = took > slowFactor*sorted[len(sorted)/2]
	}
	if len(d.took) < maxDurations {
		d.took = append(d.took, took)
	} else {
		d.took[d.next] = took
		d.next = (d.next + 1) % maxDurations
	}
	return slow
}
