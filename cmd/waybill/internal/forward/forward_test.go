// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package forward_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/waybill-go/waybill/cmd/waybill/internal/forward"
	"github.com/waybill-go/waybill/internal/receiver"
)

// A collector that hangs costs Send nothing: what there is no room for is lost, and so
// is what is under way when it is time to end.
func TestForwarder_HangingCollector(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	var said []string
	f, err := forward.New(t.Context(), server.URL, func(reason string) { said = append(said, reason) })
	if err != nil {
		t.Fatal(err)
	}
	const exports = 100
	started := time.Now()
	for range exports {
		f.Send(&receiver.Request{Signal: receiver.Traces, Sent: make([]byte, 1<<20), Header: http.Header{}})
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("Send of %d exports took %v", exports, took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	f.Close(ctx)
	f.Send(&receiver.Request{}) // Has no effect.
	if sent, lost := f.Sent(); sent != 0 || lost != exports {
		t.Errorf("%d exports were sent and %d lost, want 0 and %d", sent, lost, exports)
	}
	if len(said) != 1 || !strings.Contains(said[0], "it takes exports more slowly than they come") {
		t.Errorf("said %q, want one reason", said)
	}
}

// A collector that has not answered when it is time to end is what is said, and not how
// that ends the request.
func TestForwarder_NoAnswer(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	var said []string
	f, err := forward.New(t.Context(), server.URL, func(reason string) { said = append(said, reason) })
	if err != nil {
		t.Fatal(err)
	}
	f.Send(&receiver.Request{Signal: receiver.Traces, Header: http.Header{}})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	f.Close(ctx)
	if len(said) != 1 || !strings.Contains(said[0], "it had not answered when the program ended") {
		t.Errorf("said %q, want that there was no answer", said)
	}
}

func TestNew_Endpoint(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"", "collector", "collector:4318", "ftp://collector", "http://", "http://[::1"} {
		if _, err := forward.New(t.Context(), endpoint, nil); err == nil || !strings.Contains(err.Error(), "http://collector:4318") {
			t.Errorf("New(%q): error %v, want one with an example", endpoint, err)
		}
	}
}
