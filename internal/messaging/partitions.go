// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/observe"
)

// Partitions holds the state of the partitions that one reader reads: lag,
// redeliveries and gaps, which it reports to the observer. What it reports of a
// partition, it reports in the order in which it came to know it, whichever
// goroutine that was. It is safe for concurrent use.
//
// A client does not say when a partition is assigned or revoked. One that brings
// nothing is forgotten after a while: see [Partitions.expire].
type Partitions struct {
	r       *Recorder
	reader  uint64        // Identifies the reader to the observer.
	expiry  time.Duration // How long a silent partition is remembered.
	silence time.Duration // See NewPartitions.

	mu     sync.Mutex
	known  map[topicPartition]*partition
	closed bool // Nothing is remembered any more.
	swept  time.Time
	polls  polls

	works   int  // Works under way: see BeginWork.
	between Call // The call that stands for the time between works,
	idle    bool // if there has been any.

	timer *time.Timer // Of the next expiry; nil before the first.
	armed bool        // Reports whether timer is going to fire.

	events  []event // Events to report to the observer, from index told.
	told    int
	telling bool // Reports whether a goroutine is telling them.
}

type topicPartition struct {
	topic     string
	partition int
}

// partition holds the state of one partition.
type partition struct {
	seen    offsetSet // The offsets that were delivered,
	again   offsetSet // and those that were delivered more than once.
	pending []gap     // Missing offsets that a call under way may yet deliver.

	highest   int64 // The highest offset that was delivered; -1 for none.
	committed int64 // The highest offset that was committed; -1 for none.
	watermark int64 // The offset of the next message that will be written, as far as is known.

	delivered time.Time     // When the last message was delivered,
	polled    time.Duration // by the clock, and by the clock of polls.
}

// gap is offsets that were passed over while epoch was the current one of polls.
type gap struct {
	offsetRange

	epoch uint64
}

const (
	// DefaultExpiry is how long a silent partition is remembered by default.
	DefaultExpiry = 10 * time.Minute

	maxPartitions = 10_000        // Of one reader.
	maxPending    = maxRanges / 2 // Of one partition.
)

var readers atomic.Uint64

// NewReaderID returns an identifier for a reader or watcher, for the events of
// package observe.
func NewReaderID() uint64 { return readers.Add(1) }

// NewPartitions returns the state of the partitions of one reader, without any
// partition. An expiry of 0 or less means [DefaultExpiry].
//
// In a consumer group a partition may go to another member and come back, after
// at least the given silence; offsets that are missing then were delivered to
// that member, and are not reported as a gap. A silence of 0 means that there is
// no other member.
func (r *Recorder) NewPartitions(expiry, silence time.Duration) *Partitions {
	if expiry <= 0 {
		expiry = DefaultExpiry
	}
	return &Partitions{r: r, reader: NewReaderID(), expiry: expiry, silence: silence, known: make(map[topicPartition]*partition)}
}

// Begin notes that a call begins which may deliver a message. One of
// [Partitions.Fetched] and [Partitions.Polled] ends it.
func (p *Partitions) Begin(now time.Time) Call {
	p.mu.Lock()
	c := p.polls.begin(now)
	if !p.armed {
		p.expire()
	}
	p.unlock()
	return c
}

// Polled notes that a call has delivered nothing.
func (p *Partitions) Polled(c Call) {
	p.mu.Lock()
	p.polls.end(c, time.Now())
	p.settle()
	p.unlock()
}

// Fetched notes that a call has delivered a message. The span of the call is in
// ctx, if it has one.
func (p *Partitions) Fetched(ctx context.Context, c Call, m *Message) {
	now := time.Now()
	queued := p.r.queued(now, m)
	p.mu.Lock()
	p.polls.end(c, now)
	known := p.of(m.Destination, m.Partition, now)
	unheard := now.Sub(known.delivered)
	p.deliver(ctx, known, m, queued, now)
	p.track(known, m, unheard)
	p.settle()
	p.unlock()
}

// BeginWork notes that messages are being handled which a client has delivered
// whose calls are not seen. [Partitions.EndWork] ends it. When nothing is being
// handled, such a client is taken to poll.
func (p *Partitions) BeginWork() {
	if p.r.cfg.Observer == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.works == 0 && p.idle {
		p.polls.end(p.between, time.Now())
		p.idle = false
	}
	p.works++
}

// EndWork ends what BeginWork began.
func (p *Partitions) EndWork() {
	if p.r.cfg.Observer == nil {
		return
	}
	p.mu.Lock()
	if p.works--; p.works == 0 {
		p.between, p.idle = p.polls.begin(time.Now()), true
		if !p.armed {
			p.expire()
		}
	}
	p.unlock()
}

// Delivered notes that a message was delivered by a client whose calls are not
// seen. It may have been delivered before, and others meanwhile.
func (p *Partitions) Delivered(ctx context.Context, m *Message) {
	now := time.Now()
	queued := p.r.queued(now, m)
	p.mu.Lock()
	p.deliver(ctx, p.of(m.Destination, m.Partition, now), m, queued, now)
	p.unlock()
}

// track notes the offset of a message, and looks for redeliveries and gaps. The
// partition was unheard of for some time before.
func (p *Partitions) track(known *partition, m *Message, unheard time.Duration) {
	if !isOffset(m.Offset) {
		return
	}
	next := known.seen.next()
	if !known.seen.add(m.Offset) {
		known.again.add(m.Offset)
		p.enqueue(event{kind: redelivered, topic: m.Destination, partition: m.Partition})
		return
	}
	if next == 0 || m.Offset <= next || p.silence > 0 && unheard >= p.silence {
		return
	}
	if len(known.pending) == maxPending {
		p.makeRoom(topicPartition{m.Destination, m.Partition}, known)
	}
	known.pending = append(known.pending, gap{offsetRange{next, m.Offset}, p.polls.epoch})
	p.polls.waiting++
}

// makeRoom forgets the gaps that have been filled, or else reports the oldest.
func (p *Partitions) makeRoom(key topicPartition, known *partition) {
	p.polls.waiting -= len(known.pending)
	known.pending = slices.DeleteFunc(known.pending, func(g gap) bool { return known.seen.missing(g.offsetRange) == 0 })
	p.polls.waiting += len(known.pending)
	if len(known.pending) == maxPending {
		p.report(key, known, 1)
	}
}

// deliver notes that a message was delivered, and the lag after it.
func (p *Partitions) deliver(ctx context.Context, known *partition, m *Message, queued time.Duration, now time.Time) {
	known.delivered, known.polled = now, p.polls.clock(now)
	if m.Offset >= known.highest {
		known.highest, known.watermark = m.Offset, m.Watermark
	} else {
		known.watermark = max(known.watermark, m.Watermark)
	}
	p.enqueue(event{
		kind: fetched, ctx: ctx, topic: m.Destination, partition: m.Partition,
		offset: m.Offset, n: known.lag(), bytes: m.Bytes, queued: queued,
	})
	p.sweep(now)
}

// Committed notes that messages were committed: n of them, which at describes. The
// span of the commit is in ctx, if it has one. The highest offset of each partition
// is reported.
func (p *Partitions) Committed(ctx context.Context, n int, at func(i int) Message) {
	if p.r.cfg.Observer == nil || n == 0 {
		return
	}
	type change struct {
		topicPartition

		known *partition
	}
	var room [4]change
	changes, now := room[:0], time.Now()
	p.mu.Lock()
	for i := range n {
		m := at(i)
		c := change{topicPartition{m.Destination, m.Partition}, nil}
		if i := slices.IndexFunc(changes, func(other change) bool { return other.topicPartition == c.topicPartition }); i >= 0 {
			c = changes[i]
		} else {
			c.known = p.of(c.topic, c.partition, now)
			changes = append(changes, c)
		}
		c.known.committed = max(c.known.committed, m.Offset)
		c.known.watermark = max(c.known.watermark, m.Watermark)
	}
	for _, c := range changes {
		p.enqueue(event{
			kind: committed, ctx: ctx, topic: c.topic, partition: c.partition,
			offset: c.known.committed + 1, n: c.known.committedLag(),
		})
	}
	p.unlock()
}

// Redelivered reports whether the message at offset was delivered more than once.
func (p *Partitions) Redelivered(topic string, partition int, offset int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.known[topicPartition{topic, partition}]
	return ok && known.again.contains(offset)
}

// Forget notes that a partition is no longer read here.
func (p *Partitions) Forget(topic string, partition int) {
	p.mu.Lock()
	key := topicPartition{topic, partition}
	if _, ok := p.known[key]; ok {
		p.revoke(key)
	}
	p.unlock()
}

// Restart forgets which offsets were delivered: the program has asked for others.
func (p *Partitions) Restart() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, known := range p.known {
		p.polls.waiting -= len(known.pending)
		p.known[key] = &partition{
			highest: -1, committed: -1, watermark: known.watermark, delivered: known.delivered, polled: known.polled,
		}
	}
}

// Close notes that no partition is read here any more.
func (p *Partitions) Close() {
	p.mu.Lock()
	for key := range p.known {
		p.revoke(key)
	}
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.unlock()
}

// of returns the state of a partition, and remembers it from now on, unless
// the reader is closed.
func (p *Partitions) of(topic string, id int, now time.Time) *partition {
	key := topicPartition{topic, id}
	known, ok := p.known[key]
	if !ok {
		known = &partition{highest: -1, committed: -1, delivered: now, polled: p.polls.clock(now)}
		if !p.closed && len(p.known) < maxPartitions {
			p.known[key] = known
		}
	}
	return known
}

// lag returns how many offsets there are after the highest delivered one.
func (known *partition) lag() int64 { return known.after(known.highest) }

// committedLag returns how many offsets there are after the committed one.
func (known *partition) committedLag() int64 { return known.after(known.committed) }

// after returns how many offsets there are after offset, and 0 if that is -1.
func (known *partition) after(offset int64) int64 {
	if offset < 0 || known.watermark <= offset {
		return 0
	}
	return known.watermark - offset - 1
}

// isBehind reports whether there are messages of the partition to come.
func (known *partition) isBehind() bool { return known.lag() > 0 || known.committedLag() > 0 }

// settle reports the gaps that no call under way can fill any more.
func (p *Partitions) settle() {
	if p.polls.waiting == 0 || !p.polls.advance() {
		return
	}
	for key, known := range p.known {
		n := 0
		for n < len(known.pending) && p.polls.isOver(known.pending[n].epoch) {
			n++
		}
		p.report(key, known, n)
	}
}

// report reports the first n gaps of a partition that are still there.
func (p *Partitions) report(key topicPartition, known *partition, n int) {
	for _, g := range known.pending[:n] {
		if missing := known.seen.missing(g.offsetRange); missing > 0 {
			p.enqueue(event{kind: skipped, topic: key.topic, partition: key.partition, n: missing})
		}
	}
	known.pending = known.pending[:copy(known.pending, known.pending[n:])]
	p.polls.waiting -= n
}

// sweep revokes the partitions that have brought nothing for longer than the
// expiry while others did. It looks a few times in that span only.
func (p *Partitions) sweep(now time.Time) {
	const looks = 4
	if now.Sub(p.swept) < p.expiry/looks {
		return
	}
	p.swept = now
	for key, known := range p.known {
		if now.Sub(known.delivered) > p.expiry {
			p.revoke(key)
		}
	}
}

// expire revokes the partitions that are behind and yet have brought nothing in
// the time that the reader has spent polling: if they were still assigned, they
// would have. It sets a timer for those that have time left, so that the expiry
// does not wait for a message. A reader that does not poll, because it is stuck,
// loses nothing.
func (p *Partitions) expire() {
	now := time.Now()
	clock, left := p.polls.clock(now), time.Duration(-1)
	for key, known := range p.known {
		if !known.isBehind() {
			continue
		}
		rest := p.expiry - (clock - known.polled)
		if rest <= 0 {
			p.revoke(key)
		} else if left < 0 || rest < left {
			left = rest
		}
	}
	if left < 0 || p.closed || !p.polls.isRunning() {
		return
	}
	p.armed = true
	if p.timer == nil {
		p.timer = time.AfterFunc(left, p.expired)
	} else {
		p.timer.Reset(left)
	}
}

// expired is what the timer calls.
func (p *Partitions) expired() {
	p.mu.Lock()
	p.armed = false
	if !p.closed {
		p.expire()
	}
	p.unlock()
}

// revoke forgets a partition that is known.
func (p *Partitions) revoke(key topicPartition) {
	p.polls.waiting -= len(p.known[key].pending)
	delete(p.known, key)
	p.enqueue(event{kind: revoked, topic: key.topic, partition: key.partition})
}

// event is something to tell the observer.
type event struct {
	kind      eventKind
	ctx       context.Context //nolint:containedctx // the context of the call.
	topic     string
	partition int
	offset    int64
	n         int64 // The lag, or the size of a gap.
	bytes     int
	queued    time.Duration
}

type eventKind uint8

const (
	fetched eventKind = iota
	committed
	redelivered
	skipped
	revoked
)

// enqueue notes an event to report. A closed reader has no partitions,
// so what comes from one late is revoked right away.
func (p *Partitions) enqueue(e event) {
	if p.r.cfg.Observer == nil {
		return
	}
	p.events = append(p.events, e)
	if p.closed && (e.kind == fetched || e.kind == committed) {
		p.events = append(p.events, event{kind: revoked, topic: e.topic, partition: e.partition})
	}
}

// unlock unlocks p and reports the events to the observer, in order. If
// another goroutine is at it, or the observer itself has called, that one tells
// these events too.
func (p *Partitions) unlock() {
	if p.telling || len(p.events) == 0 {
		p.mu.Unlock()
		return
	}
	p.telling = true
	defer func() { // The observer may end its goroutine.
		p.telling = false
		p.mu.Unlock()
	}()
	for p.told < len(p.events) {
		e := p.events[p.told]
		p.events[p.told] = event{}
		p.told++
		p.tell(&e)
	}
	p.events, p.told = p.events[:0], 0
}

// tell tells the observer of e, with p unlocked.
func (p *Partitions) tell(e *event) {
	p.mu.Unlock()
	defer p.mu.Lock()
	r := p.r
	of := observe.Partition{
		System: r.cfg.System, Group: r.cfg.Group, Topic: r.destinationOf(e.topic).name, Partition: e.partition, Reader: p.reader,
	}
	switch e.kind {
	case fetched:
		r.observeFetch(e.ctx, &observe.Fetch{
			System: of.System, Group: of.Group, Topic: of.Topic, Partition: of.Partition, Reader: of.Reader,
			Offset: e.offset, Lag: e.n, Bytes: e.bytes, Queued: e.queued,
		})
	case committed:
		r.observeCommit(e.ctx, &observe.Commit{
			System: of.System, Group: of.Group, Topic: of.Topic, Partition: of.Partition, Reader: of.Reader,
			Offset: e.offset, Lag: e.n,
		})
	case redelivered:
		r.observeRedelivery(of)
	case skipped:
		r.observeGap(observe.Gap{Partition: of, Offsets: e.n})
	case revoked:
		r.observeRevocation(of)
	}
}

// queued returns how long a message was queued, or -1 if that is not known.
func (r *Recorder) queued(now time.Time, m *Message) time.Duration {
	if r.cfg.Observer == nil || m.Time.IsZero() {
		return -1
	}
	return r.since(now, m.Time, r.destinationOf(m.Destination).name)
}
