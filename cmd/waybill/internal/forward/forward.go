// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package forward passes on what a receiver takes, so that a receiver can be put in
// front of a collector.
package forward

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waybill-go/waybill/internal/receiver"
)

const (
	workers     = 4
	maxQueued   = 64 << 20         // Bytes that wait.
	tries       = 3                // Of one export,
	firstPause  = time.Second      // with a pause before the second, which doubles,
	longestWait = 10 * time.Second // or for as long as the collector asks for, up to this.
	timeout     = 30 * time.Second // Of one try.
)

// Forwarder sends exports to a collector over OTLP/HTTP. It is safe for concurrent use.
type Forwarder struct {
	endpoint *url.URL
	client   *http.Client
	failed   func(reason string)

	mu     sync.Mutex // Guards queue against a Send after Close.
	closed bool
	queue  chan *receiver.Request
	queued atomic.Int64 // Bytes.
	cancel context.CancelFunc
	work   sync.WaitGroup

	sent, lost atomic.Int64
	once       sync.Once // Guards the call of failed.
}

// New returns a forwarder to endpoint, such as http://collector:4318, to which the path
// of each signal is added. It calls failed with the first failure.
func New(ctx context.Context, endpoint string, failed func(reason string)) (*Forwarder, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("cannot forward to %q: want the OTLP/HTTP endpoint of a collector, such as http://collector:4318", endpoint)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &Forwarder{
		endpoint: u, failed: failed, queue: make(chan *receiver.Request, 1000), cancel: cancel,
		client: &http.Client{
			Timeout:       timeout,
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableCompression: true, MaxIdleConnsPerHost: workers},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	for range workers {
		f.work.Go(func() {
			for r := range f.queue {
				f.deliver(ctx, r)
			}
		})
	}
	return f, nil
}

// Send queues an export. It never blocks: an export for which there is no room is lost.
func (f *Forwarder) Send(r *receiver.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	size := int64(len(r.Sent))
	if f.queued.Add(size) <= maxQueued {
		select {
		case f.queue <- r:
			return
		default:
		}
	}
	f.queued.Add(-size)
	f.lose(errors.New("it takes exports more slowly than they come"))
}

// Close sends what is queued, until ctx is done.
func (f *Forwarder) Close(ctx context.Context) {
	f.mu.Lock()
	f.closed = true
	close(f.queue)
	f.mu.Unlock()
	stop := context.AfterFunc(ctx, f.cancel)
	f.work.Wait()
	stop()
	f.cancel()
	f.client.CloseIdleConnections()
}

// Sent returns how many exports the collector has accepted, and how many are lost.
func (f *Forwarder) Sent() (sent, lost int64) { return f.sent.Load(), f.lost.Load() }

func (f *Forwarder) lose(err error) {
	f.lost.Add(1)
	f.once.Do(func() { f.failed(fmt.Sprintf("cannot forward to %s: %v", f.endpoint.Redacted(), err)) })
}

// deliver sends r, more than once if the collector asks for it.
func (f *Forwarder) deliver(ctx context.Context, r *receiver.Request) {
	defer f.queued.Add(-int64(len(r.Sent)))
	pause := firstPause
	for try := 1; ; try++ {
		wait, err := f.try(ctx, r)
		if err == nil {
			f.sent.Add(1)
			return
		}
		if wait == never || try == tries {
			f.lose(err)
			return
		}
		select {
		case <-ctx.Done():
			f.lose(err)
			return
		case <-time.After(min(cmp.Or(wait, pause), longestWait)):
			pause *= 2
		}
	}
}

// never says that an export is not to be sent again.
const never = time.Duration(-1)

// try sends r once. If that fails, it returns how long to wait before the next try, or
// zero if the collector does not say.
func (f *Forwarder) try(ctx context.Context, r *receiver.Request) (time.Duration, error) {
	request, err := f.request(ctx, r)
	if err != nil {
		return never, err
	}
	response, err := f.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return never, errors.New("it had not answered when the program ended")
		}
		if failure, ok := errors.AsType[*url.Error](err); ok {
			err = failure.Err // The address is said anyway.
		}
		return 0, err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // So that the connection can be used again.
	switch code := response.StatusCode; {
	case code/100 == 2:
		return 0, nil
	case code == http.StatusTooManyRequests, code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After")) // A date is not waited for.
		return time.Duration(max(seconds, 0)) * time.Second, fmt.Errorf("it answers %s", response.Status)
	default:
		return never, fmt.Errorf("it answers %s", response.Status)
	}
}

// request returns the request that passes on r: the same body and header.
func (f *Forwarder) request(ctx context.Context, r *receiver.Request) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.endpoint.JoinPath(r.Signal.Path()).String(), bytes.NewReader(r.Sent))
	if err != nil {
		return nil, err
	}
	request.Header = r.Header.Clone()
	maps.DeleteFunc(request.Header, func(key string, _ []string) bool { return !passesOn(key) })
	if f.endpoint.User != nil {
		request.Header.Del("Authorization") // That of the endpoint is set instead.
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	if r.JSON {
		request.Header.Set("Content-Type", "application/json")
	}
	if r.Compressed {
		request.Header.Set("Content-Encoding", "gzip")
	}
	return request, nil
}

// passesOn reports whether a field of the header concerns the collector, and not the
// connection to the receiver or gRPC.
func passesOn(key string) bool {
	switch key {
	case "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect",
		"Content-Length", "Content-Encoding", "Content-Type", "Accept-Encoding", "Accept":
		return false
	default:
		return !strings.HasPrefix(key, "Grpc-")
	}
}
