// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package propagation

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// Journal keeps notes of injections, of extractions and of the spans that [Start]
// opens: the line of code, the carrier, the keys, and how it ended. It is made for
// tests, and to find in a running program the place where a context is lost.
//
// An entry goes to the journal of [WithJournal], or else to the one of
// [ContextWithJournal]. If there is neither, it goes to all journals that called
// [Journal.RecordAll].
//
// The environment variable WAYBILL_JOURNAL asks for a journal of the process: see the
// documentation of the package. While nobody asks for a journal, that costs a call one
// atomic load. A call that is noted takes some microseconds more.
//
// A Journal keeps the first 10,000 entries that belong to it, and as many that may, and
// counts the others. The zero value is ready to use. A Journal is safe for concurrent
// use and must not be copied. A nil Journal keeps nothing.
type Journal struct {
	mu      sync.Mutex
	notes   []*note
	own     int // How many of notes belonged to the journal when they were added,
	strays  int // and how many did not.
	dropped int
}

// maxNotes is the number of entries of its own that a journal keeps, and of others.
const maxNotes = 10_000

// note is an entry of any number of journals.
type note struct {
	entry JournalEntry
	// owner is the journal that the entry certainly belongs to. It is nil if the call
	// named none.
	owner atomic.Pointer[Journal]
}

// Entries returns the entries in the order in which they were made. The lists in them
// are shared with j and must not be modified.
func (j *Journal) Entries() []JournalEntry {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var entries []JournalEntry
	for _, n := range j.notes {
		owner := n.owner.Load()
		if owner != nil && owner != j {
			continue // It turned out to belong to another journal.
		}
		e := n.entry
		e.Stray = owner == nil
		entries = append(entries, e)
	}
	return entries
}

// Dropped returns how many entries were not kept because there were too many.
func (j *Journal) Dropped() int {
	if j == nil {
		return 0
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.dropped
}

// RecordAll makes j also receive the entries of all calls in the process that name no
// journal, until stop is called. They are marked as [JournalEntry.Stray]: they may
// belong to other work in the process, such as a test that runs in parallel.
func (j *Journal) RecordAll() (stop func()) {
	if j == nil {
		return func() {}
	}
	recorders.add(j)
	return sync.OnceFunc(func() { recorders.remove(j) })
}

// add adds n, unless there are enough of its kind.
func (j *Journal) add(n *note) {
	j.mu.Lock()
	defer j.mu.Unlock()
	number := &j.own
	if n.owner.Load() != j {
		number = &j.strays
	}
	if *number == maxNotes {
		j.dropped++
		return
	}
	*number++
	j.notes = append(j.notes, n)
}

// adopt makes j the owner of a note that has none. A nil j does nothing.
func (j *Journal) adopt(n *note) {
	if j != nil && n.owner.CompareAndSwap(nil, j) && !j.holds(n) {
		j.add(n)
	}
}

func (j *Journal) holds(n *note) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, held := range slices.Backward(j.notes) {
		if held == n {
			return true
		}
	}
	return false
}

// recorders are the journals that record all.
var recorders journals

// journals is a list of journals, in which one may be more than once.
type journals struct {
	mu    sync.RWMutex
	all   []*Journal
	count atomic.Int32
}

func (l *journals) add(j *Journal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, j)
	l.count.Add(1)
	askers.Add(1)
}

func (l *journals) remove(j *Journal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.all, j); i >= 0 {
		l.all = slices.Delete(l.all, i, i+1)
		l.count.Add(-1)
		askers.Add(-1)
	}
}

// note adds n to each journal once.
func (l *journals) note(n *note) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i, j := range l.all {
		if !slices.Contains(l.all[:i], j) {
			j.add(n)
		}
	}
}

type journalKey struct{}

// ContextWithJournal returns ctx with j, which receives the entries of the calls that
// are made with it, or with a context derived from it, and name no other journal, until
// ctx is done. A nil j leaves ctx as it is.
//
// [Read] has no context. Its entry goes to the journal of the context with which
// [Start] opens the span that handles what was read, or that is given to
// [Remote.Context].
func ContextWithJournal(ctx context.Context, j *Journal) context.Context {
	ctx = orBackground(ctx)
	if j == nil {
		return ctx
	}
	askers.Add(1)
	context.AfterFunc(ctx, func() { askers.Add(-1) })
	return context.WithValue(ctx, journalKey{}, j)
}

// journalOf returns the journal of ctx, which may be nil, or nil.
func journalOf(ctx context.Context) *Journal {
	if ctx == nil {
		return nil
	}
	j, _ := ctx.Value(journalKey{}).(*Journal)
	return j
}

// WithJournal notes what the call does in j, and in no other journal. If j is nil, the
// journal of ctx is used, as if the option was not given.
func WithJournal(j *Journal) Option { return journalOption{j} }

// WithoutJournal notes the call in no journal, such as one that only looks at a carrier
// before something is written to it.
func WithoutJournal() Option { return journalOption{nowhere} }

// nowhere is the journal of calls that are not noted.
var nowhere = new(Journal)

type journalOption struct{ journal *Journal }

func (o journalOption) apply(cfg *config) { cfg.journal = o.journal }

// askers is how many contexts and journals ask for entries of calls that name no
// journal, less one if the environment was read and does not ask.
var askers atomic.Int64

const nobody = -1

// isAsked reports whether anyone may ask for an entry of a call.
func (cfg *config) isAsked() bool { return askers.Load() != nobody || cfg.journal != nil }

// isAskedFor reports whether someone asks for an entry of a call that has the context
// ctx, or nil for none.
func (cfg *config) isAskedFor(ctx context.Context) bool {
	switch {
	case cfg.journal != nil:
		return cfg.journal != nowhere
	case journalOfProcess() != nil || journalOf(ctx) != nil:
		return true
	case ctx == nil:
		return askers.Load() != nobody // The context with which Start is called may ask.
	default:
		return recorders.count.Load() > 0
	}
}

// keep adds n to the journal of its owner, if it has one, or else to those that record
// all.
func (n *note) keep(owner *Journal) {
	if owner != nil {
		n.owner.Store(owner)
		owner.add(n)
	} else {
		recorders.note(n)
	}
	journalOfProcess().write(&n.entry)
}
