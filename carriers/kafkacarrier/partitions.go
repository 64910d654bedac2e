// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier

import (
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// partitions is what a Reader remembers of each partition it reads. kafka-go
// does not say when one is assigned or revoked, so a partition that brings
// nothing while others do is forgotten after a while.
type partitions struct {
	mu    sync.Mutex
	known map[topicPartition]*partition
	swept time.Time

	closed bool // Nothing is remembered any more.
}

type topicPartition struct {
	topic     string
	partition int
}

type partition struct {
	window

	fetched   time.Time
	watermark int64 // The offset of the next message that will be written, as of the last fetch.
}

// defaultExpiry is how long a silent partition is remembered.
const defaultExpiry = 10 * time.Minute

// track notes that msg was fetched at now.
func (p *partitions) track(msg *kafka.Message, now time.Time) (again bool, skipped int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.of(msg, now)
	known.fetched = now
	return known.track(msg.Offset)
}

// of returns what is known of the partition of msg, and remembers it from now on.
func (p *partitions) of(msg *kafka.Message, now time.Time) *partition {
	key := topicPartition{msg.Topic, msg.Partition}
	known, ok := p.known[key]
	if !ok {
		known = &partition{fetched: now}
	}
	if !ok && !p.closed {
		if p.known == nil {
			p.known = make(map[topicPartition]*partition)
		}
		p.known[key] = known
	}
	known.watermark = max(known.watermark, msg.HighWaterMark)
	return known
}

// wasSeen reports whether msg is one that had been fetched before.
func (p *partitions) wasSeen(msg *kafka.Message) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.known[topicPartition{msg.Topic, msg.Partition}]
	return ok && known.wasSeen(msg.Offset)
}

// lag returns how many offsets there are after that of msg at now.
func (p *partitions) lag(msg *kafka.Message, now time.Time) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.of(msg, now).watermark-msg.Offset-1, 0)
}

// expired forgets the partitions that have brought nothing for longer than
// expiry before now, and returns them. It looks a few times in that span only.
func (p *partitions) expired(now time.Time, expiry time.Duration) map[topicPartition]*partition {
	p.mu.Lock()
	defer p.mu.Unlock()
	const looks = 4
	if now.Sub(p.swept) < expiry/looks {
		return nil
	}
	p.swept = now
	var gone map[topicPartition]*partition
	for key, known := range p.known {
		if now.Sub(known.fetched) > expiry {
			if gone == nil {
				gone = make(map[topicPartition]*partition)
			}
			gone[key] = known
			delete(p.known, key)
		}
	}
	return gone
}

// forget forgets one partition, and returns it if it was known.
func (p *partitions) forget(key topicPartition) (*partition, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.known[key]
	delete(p.known, key)
	return known, ok
}

// restart forgets which offsets were fetched.
func (p *partitions) restart() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, known := range p.known {
		known.window = window{}
	}
}

// close forgets all partitions for good and returns them.
func (p *partitions) close() map[topicPartition]*partition {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.known
	p.known, p.closed = nil, true
	return known
}

func (p *partitions) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}
