// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/waybill-go/waybill/flowtest/internal/otlp"
	"github.com/waybill-go/waybill/internal/flow"
	"github.com/waybill-go/waybill/internal/receiver"
)

const (
	// maxReceived is how many spans of other processes are kept.
	maxReceived = 250_000
	// maxRefused is how many reasons are kept why something was not received.
	maxRefused = 10
	// closeTimeout is how long an export that is under way may take when the test ends.
	closeTimeout = time.Second
)

// children receives the spans of other processes.
type children struct {
	recorder *recorder

	mu       sync.Mutex
	receiver *receiver.Receiver // Nil until the first process is started.
	services []string           // Those that processes were started as.
	refused  []string           // Why something was not received.
}

// listen returns the endpoint for a process of a service, and opens it if there is none.
func (c *children) listen(ctx context.Context, service string) (endpoint string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.receiver == nil {
		c.receiver, err = receiver.Listen(ctx, receiver.Config{Consume: c.consume, Refused: c.refuse}, "127.0.0.1:0")
		if err != nil {
			return "", err
		}
	}
	if !slices.Contains(c.services, service) {
		c.services = append(c.services, service)
	}
	return c.receiver.Endpoint(), nil
}

// close stops receiving. What is sent afterwards is refused by the system.
func (c *children) close(ctx context.Context) {
	c.mu.Lock()
	r := c.receiver
	c.mu.Unlock()
	if r == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	_ = r.Close(ctx) // A child that is still sending does not make the test fail.
}

// consume adds the spans of an export. Metrics and logs are dropped.
func (c *children) consume(r *receiver.Request) error {
	if r.Signal != receiver.Traces {
		return nil
	}
	read := otlp.ReadProtobuf
	if r.JSON {
		read = otlp.ReadJSON
	}
	spans, err := read(r.Message)
	if err != nil && len(spans) == 0 {
		return err
	}
	if left := c.recorder.receive(spans); left > 0 {
		c.refuse(fmt.Sprintf("more than %s spans were sent; %s were left out", flow.Count(c.recorder.maxReceived), flow.Count(left)))
	}
	if err != nil {
		c.refuse(err.Error())
	}
	return nil
}

// refuse notes why something was not received.
func (c *children) refuse(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.refused) < maxRefused && !slices.Contains(c.refused, reason) {
		c.refused = append(c.refused, flow.Clip(reason, maxReason))
	}
}

// maxReason is the longest reason that is printed, in characters.
const maxReason = 300

// notes returns why something was not received.
func (c *children) notes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.refused)
}

// silent returns the services of which no span was received.
func (c *children) silent() []string {
	c.mu.Lock()
	services := slices.Clone(c.services)
	c.mu.Unlock()
	return slices.DeleteFunc(services, c.recorder.hasReceived)
}
