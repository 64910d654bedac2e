// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/protocol/offsetfetch"

	"github.com/waybill-go/waybill/carriers/kafkacarrier"
	"github.com/waybill-go/waybill/observe"
)

// cluster is a kafka.RoundTripper that knows topics and the offsets of a group.
type cluster struct{ topics map[string][]part }

// part is a partition: its bounds, what the group has committed, and the error
// of the broker that leads it.
type part struct {
	start, end, committed int64
	err                   int16
}

func (c *cluster) RoundTrip(_ context.Context, _ net.Addr, req kafka.Request) (kafka.Response, error) {
	switch req := req.(type) {
	case *metadata.Request:
		return c.describe(req), nil
	case *offsetfetch.Request:
		return c.offsets(req), nil
	case *listoffsets.Request:
		return c.bounds(req)
	default:
		return nil, fmt.Errorf("unknown request %T", req)
	}
}

func (c *cluster) describe(req *metadata.Request) *metadata.Response {
	res := &metadata.Response{}
	for _, name := range req.TopicNames {
		topic := metadata.ResponseTopic{Name: name}
		if _, ok := c.topics[name]; !ok {
			topic.ErrorCode = int16(kafka.UnknownTopicOrPartition)
		}
		for i := range c.topics[name] {
			topic.Partitions = append(topic.Partitions, metadata.ResponsePartition{PartitionIndex: int32(i)})
		}
		res.Topics = append(res.Topics, topic)
	}
	return res
}

func (c *cluster) offsets(req *offsetfetch.Request) *offsetfetch.Response {
	res := &offsetfetch.Response{}
	for _, asked := range req.Topics {
		topic := offsetfetch.ResponseTopic{Name: asked.Name}
		for _, i := range asked.PartitionIndexes {
			topic.Partitions = append(topic.Partitions, offsetfetch.ResponsePartition{
				PartitionIndex: i, CommittedOffset: c.topics[asked.Name][i].committed,
			})
		}
		res.Topics = append(res.Topics, topic)
	}
	return res
}

// bounds fails as a whole, as kafka-go does, if a partition has no leader.
func (c *cluster) bounds(req *listoffsets.Request) (*listoffsets.Response, error) {
	res := &listoffsets.Response{}
	for _, asked := range req.Topics {
		topic := listoffsets.ResponseTopic{Topic: asked.Topic}
		for _, a := range asked.Partitions {
			p := c.topics[asked.Topic][a.Partition]
			if p.err != 0 {
				return nil, kafka.Error(p.err)
			}
			offset := p.end
			if a.Timestamp == kafka.FirstOffset {
				offset = p.start
			}
			topic.Partitions = append(topic.Partitions, listoffsets.ResponsePartition{Partition: a.Partition, Timestamp: a.Timestamp, Offset: offset})
		}
		res.Topics = append(res.Topics, topic)
	}
	return res, nil
}

func (c *cluster) client() *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP("broker:9092"), Transport: c}
}

// What cannot be read does not hide the rest, and what retention has removed is
// no lag.
func TestReadLag_PartialResults(t *testing.T) {
	t.Parallel()
	noLeader := int16(kafka.LeaderNotAvailable)
	for name, tt := range map[string]struct {
		topics map[string][]part
		asked  []string
		want   []kafkacarrier.Lag
		errors []error
	}{
		"retention": {
			map[string][]part{"orders": {{start: 18, end: 20, committed: 5}, {start: 0, end: 20, committed: 5}}},
			[]string{"orders"},
			[]kafkacarrier.Lag{{Topic: "orders", Partition: 0, Committed: 18, End: 20}, {Topic: "orders", Partition: 1, Committed: 5, End: 20}},
			nil,
		},
		"all removed": {
			map[string][]part{"orders": {{start: 20, end: 20, committed: 5}}},
			[]string{"orders"},
			[]kafkacarrier.Lag{{Topic: "orders", Partition: 0, Committed: 20, End: 20}},
			nil,
		},
		"a missing topic": {
			map[string][]part{"orders": {{end: 20, committed: 5}}},
			[]string{"missing", "orders"},
			[]kafkacarrier.Lag{{Topic: "orders", Partition: 0, Committed: 5, End: 20}},
			[]error{kafka.UnknownTopicOrPartition},
		},
		"no leader": {
			map[string][]part{"orders": {{end: 20, committed: 5}, {end: 20, committed: 5, err: noLeader}}, "refunds": {{end: 9, committed: 9}}},
			[]string{"orders", "refunds"},
			[]kafkacarrier.Lag{{Topic: "orders", Partition: 0, Committed: 5, End: 20}, {Topic: "refunds", Partition: 0, Committed: 9, End: 9}},
			[]error{kafka.LeaderNotAvailable},
		},
		"all missing": {map[string][]part{}, []string{"missing"}, nil, []error{kafka.UnknownTopicOrPartition}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &cluster{topics: tt.topics}
			lags, err := kafkacarrier.ReadLag(t.Context(), c.client(), "workers", tt.asked...)
			if diff := cmp.Diff(tt.want, lags); diff != "" {
				t.Error(diff)
			}
			if (err != nil) != (len(tt.errors) > 0) {
				t.Errorf("ReadLag gives %v", err)
			}
			for _, want := range tt.errors {
				if !errors.Is(err, want) {
					t.Errorf("ReadLag gives %v, want %v", err, want)
				}
			}
		})
	}
}

// sources is an observer that keeps which reader told what.
type sources struct {
	observe.NoMessaging

	mu      sync.Mutex
	lags    map[uint64]int64
	revoked []uint64
	failed  []string
}

func (s *sources) Fetched(_ context.Context, f observe.Fetch) { s.set(f.Reader, f.Lag) }

func (s *sources) Committed(_ context.Context, c observe.Commit) { s.set(c.Reader, c.Lag) }

func (s *sources) set(reader uint64, lag int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lags[reader] = lag
}

func (s *sources) Failed(_ context.Context, f observe.Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = append(s.failed, f.Operation+" "+f.Destination+" "+f.ErrorType)
}

func (s *sources) Redelivered(observe.Partition) {}
func (s *sources) Skipped(observe.Gap)           {}

func (s *sources) Revoked(p observe.Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = append(s.revoked, p.Reader)
}

// A watcher that ends takes nothing with it that a Reader reports.
func TestWatchLag_IsAReaderOfItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sources{lags: make(map[uint64]int64)}
		msg := consumed(4)
		msg.HighWaterMark = 10
		r := kafkacarrier.NewReaderOf(inGroup(msg), withW3C(), kafkacarrier.WithObserver(s))
		if _, err := r.FetchMessage(t.Context()); err != nil {
			t.Fatal(err)
		}
		c := &cluster{topics: map[string][]part{"orders": {{end: 20, committed: 5}}}}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		err := kafkacarrier.WatchLag(ctx, c.client(), "workers", []string{"missing", "orders"}, kafkacarrier.WithObserver(s))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WatchLag gives %v", err)
		}
		if len(s.lags) != 2 || len(s.revoked) != 1 || s.lags[s.revoked[0]] != 15 {
			t.Errorf("the observer was told lags of %v, and %d was revoked", s.lags, s.revoked)
		}
		if !slices.Contains(s.failed, "lag missing UNKNOWN_TOPIC_OR_PARTITION") {
			t.Errorf("the observer was told of failures %q", s.failed)
		}
		if err := r.Close(); err != nil || len(s.revoked) != 2 {
			t.Errorf("Close gives %v, and %d were revoked", err, s.revoked)
		}
	})
}

// The lag of a topic that fails for a while remains.
func TestWatchLag_KeepsWhatItCannotSee(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &failingCluster{cluster: cluster{topics: map[string][]part{"orders": {{end: 20, committed: 5}}}}}
		s := &sources{lags: make(map[uint64]int64)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			client := &kafka.Client{Addr: kafka.TCP("broker:9092"), Transport: g}
			done <- kafkacarrier.WatchLag(ctx, client, "workers", []string{"orders"}, kafkacarrier.WithObserver(s), kafkacarrier.WithInterval(time.Minute))
		}()
		synctest.Wait()
		g.set(true)
		time.Sleep(10 * time.Minute)
		s.mu.Lock()
		if len(s.revoked) != 0 || len(s.failed) == 0 || len(s.lags) != 1 {
			t.Errorf("the observer was told lags %v, revoked %v, failed %q", s.lags, s.revoked, s.failed)
		}
		s.mu.Unlock()
		cancel()
		<-done
	})
}

// failingCluster is a cluster whose topics can be missing for a while.
type failingCluster struct {
	cluster

	mu   sync.Mutex
	fail bool
}

func (f *failingCluster) set(fail bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

func (f *failingCluster) RoundTrip(ctx context.Context, addr net.Addr, req kafka.Request) (kafka.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail {
		return (&cluster{}).RoundTrip(ctx, addr, req)
	}
	return f.cluster.RoundTrip(ctx, addr, req)
}
