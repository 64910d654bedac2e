// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import "time"

// polls are the calls under way that may deliver a message. They say two things:
// whether all calls that were under way at some point are over, so that what
// they have not delivered does not come any more; and how long a reader has
// polled, which is time in which messages could have come.
//
// For the first they count calls by the epoch that they began in. The current
// epoch ends when there is a reason to wait and all calls of the one before it
// are over, so calls of at most two epochs are under way.
type polls struct {
	epoch   uint64
	active  [2]int // Calls under way that began in an even and in an odd epoch.
	waiting int    // How many wait for calls to be over.

	before time.Duration // The time of polling that is over.
	since  time.Time     // When the polling began that is not.
}

// Call is a call under way that may deliver a message.
type Call struct{ epoch uint64 }

func (p *polls) begin(now time.Time) Call {
	if !p.isRunning() {
		p.since = now
	}
	p.active[p.epoch&1]++
	return Call{p.epoch}
}

func (p *polls) end(c Call, now time.Time) {
	p.active[c.epoch&1]--
	if !p.isRunning() {
		p.before += now.Sub(p.since)
	}
}

// isRunning reports whether a call is under way.
func (p *polls) isRunning() bool { return p.active[0]+p.active[1] > 0 }

// clock returns the time of all polling.
func (p *polls) clock(now time.Time) time.Duration {
	if p.isRunning() {
		return p.before + now.Sub(p.since)
	}
	return p.before
}

// advance begins new epochs as far as calls of earlier ones are over, and
// reports whether it did.
func (p *polls) advance() bool {
	before := p.epoch
	for range 2 {
		if p.active[(p.epoch+1)&1] == 0 {
			p.epoch++
		}
	}
	return p.epoch > before
}

// isOver reports whether all calls are over that were under way when epoch was
// the current one.
func (p *polls) isOver(epoch uint64) bool { return p.epoch >= epoch+2 }
