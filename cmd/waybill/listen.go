// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/waybill-go/waybill/cmd/waybill/internal/forward"
	"github.com/waybill-go/waybill/cmd/waybill/internal/recording"
	"github.com/waybill-go/waybill/internal/flow"
	"github.com/waybill-go/waybill/internal/receiver"
)

// intake takes spans from SDKs, and passes them on to a collector if there is one.
type intake struct {
	addresses []string
	forward   string

	say       func(text string) // Prints each text once.
	receiver  *receiver.Receiver
	forwarder *forward.Forwarder
}

func (in *intake) addFlags(cmd *cobra.Command, addresses ...string) {
	cmd.Flags().StringSliceVar(&in.addresses, "listen", addresses,
		"take spans that SDKs export to this `ADDRESS`, such as 127.0.0.1:4318, over OTLP/HTTP and OTLP/gRPC; may be given twice")
	cmd.Flags().StringVar(&in.forward, "forward", "", "pass on all that is taken, metrics and logs too, to this OTLP/HTTP `URL`, such as http://collector:4318")
}

// start begins to take exports. Those of traces go to add.
func (in *intake) start(cmd *cobra.Command, add func(*receiver.Request) error) error {
	in.say = newOnce(cmd)
	if in.forward != "" {
		if err := in.checkForward(); err != nil {
			return err
		}
		var err error
		if in.forwarder, err = forward.New(cmd.Context(), in.forward, in.say); err != nil {
			return err
		}
	}
	consume := func(r *receiver.Request) error {
		if r.Signal == receiver.Traces {
			if err := add(r); err != nil {
				return err
			}
		}
		if in.forwarder != nil {
			in.forwarder.Send(r)
		}
		return nil
	}
	var err error
	if in.receiver, err = receiver.Listen(cmd.Context(), receiver.Config{Consume: consume, Refused: in.say}, in.addresses...); err != nil {
		in.stop(cmd)
		return portInUse(err, "--listen")
	}
	for _, address := range in.receiver.Addresses() {
		if !receiver.IsLoopback(address.String()) {
			cmd.PrintErrf("waybill: warning: others can reach %s and send spans to it; 127.0.0.1 is for this machine alone\n", address)
		}
	}
	return nil
}

// lastExports is how long what is under way may take when the program ends.
const lastExports = 5 * time.Second

// stop takes no more exports, and passes on those that were taken.
func (in *intake) stop(cmd *cobra.Command) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), lastExports)
	defer cancel()
	if in.receiver != nil {
		_ = in.receiver.Close(ctx) // Clients that have not ended are cut off.
	}
	if in.forwarder != nil {
		in.forwarder.Close(ctx)
		if sent, lost := in.forwarder.Sent(); lost > 0 {
			cmd.PrintErrf("waybill: passed on %s, and lost %s\n", flow.Plural(int(sent), "export"), flow.Count(int(lost)))
		}
	}
}

// checkForward refuses to send to itself.
func (in *intake) checkForward() error {
	u, err := url.Parse(in.forward)
	if err != nil {
		return nil //nolint:nilerr // The forwarder says what is wrong with it.
	}
	for _, address := range in.addresses {
		if _, port, err := net.SplitHostPort(address); err == nil && port == u.Port() && receiver.IsLoopback(u.Host) {
			return fmt.Errorf("cannot forward to %s, because waybill itself listens there; let one of them use another port", in.forward)
		}
	}
	return nil
}

// variables are the variables by which an SDK exports to in.
func (in *intake) variables() []string {
	return []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + endpointOf(in.receiver.Addresses()[0]),
		"OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf    (or grpc, or http/json)",
	}
}

// endpointOf returns the endpoint of an address, as a program on this machine needs it.
func endpointOf(address net.Addr) string {
	host, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return "http://" + address.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// portInUse says what to do if err is that a port, which flag names, is in use.
func portInUse(err error, flag string) error {
	const windows = syscall.Errno(10048) // WSAEADDRINUSE
	if !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, windows) {
		return err
	}
	var listening *net.OpError
	if errors.As(err, &listening) && listening.Addr != nil {
		return fmt.Errorf("%s is in use, perhaps by a collector or another waybill; stop that, or use %s with another port", listening.Addr, flag)
	}
	return err
}

// newOnce returns a func that prints each text once.
func newOnce(cmd *cobra.Command) func(text string) {
	var mu sync.Mutex
	said := make(map[string]bool)
	const most = 20 // A client may send anything.
	return func(text string) {
		mu.Lock()
		defer mu.Unlock()
		if !said[text] && len(said) < most {
			said[text] = true
			cmd.PrintErrln("waybill:", printable(text))
		}
	}
}

// listening is where a command takes spans from that are not recorded yet.
type listening struct {
	intake

	duration, quiet time.Duration
}

func (l *listening) addFlags(cmd *cobra.Command) {
	l.intake.addFlags(cmd)
	cmd.Flags().DurationVar(&l.duration, "for", 0, "with --listen: end after this `TIME`, such as 30s; the default is at Ctrl-C")
	cmd.Flags().DurationVar(&l.quiet, "quiet", 0, "with --listen: end when no spans have come for this `TIME`, once there are any")
}

// read reads the recordings that args name, or takes spans if the command listens.
func (l *listening) read(cmd *cobra.Command, args []string, keep func(key string) bool) (*recording.Recording, error) {
	if len(l.addresses) == 0 {
		for _, name := range []string{"for", "quiet", "forward"} {
			if cmd.Flags().Changed(name) {
				return nil, fmt.Errorf("--%s needs --listen", name)
			}
		}
		return read(cmd, args, keep)
	}
	if len(args) > 0 {
		return nil, errors.New("give either --listen or files")
	}
	return l.collect(cmd)
}

// collect takes spans until it is time to end.
func (l *listening) collect(cmd *cobra.Command) (*recording.Recording, error) {
	ctx, stop := untilInterrupt(cmd.Context())
	defer stop()
	if l.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.duration)
		defer cancel()
	}
	c := &collection{added: make(chan struct{}, 1)}
	if err := l.start(cmd, c.add); err != nil {
		return nil, err
	}
	cmd.PrintErrf("waybill: taking spans until %s. An SDK needs:\n  %s\n", l.end(), strings.Join(l.variables(), "\n  "))
	c.wait(ctx, l.quiet)
	l.stop(cmd)
	stop() // From here on, Ctrl-C ends the program.
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.spans) == 0 {
		return nil, fmt.Errorf("no spans came to %s", endpointOf(l.receiver.Addresses()[0]))
	}
	if c.omitted > 0 {
		cmd.PrintErrf("waybill: %s came after the first %s and are left out\n", flow.Plural(c.omitted, "span"), flow.Count(maxCollected))
	}
	return &recording.Recording{Spans: c.spans}, nil
}

// end says when collect ends.
func (l *listening) end() string {
	end := "Ctrl-C"
	if l.duration > 0 {
		end += ", for " + l.duration.String()
	}
	if l.quiet > 0 {
		end += ", or until none come for " + l.quiet.String()
	}
	return end
}

// untilInterrupt returns a context that is done when the user ends the program. What is
// ignored from the start, as with nohup or in the background, stays so.
func untilInterrupt(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, slices.DeleteFunc([]os.Signal{syscall.SIGTERM, os.Interrupt}, signal.Ignored)...)
}

// maxCollected is how many spans are collected: their memory has to end somewhere.
const maxCollected = 2_000_000

// collection is the spans that were taken. It is safe for concurrent use.
type collection struct {
	mu      sync.Mutex
	spans   []flow.Span
	omitted int
	added   chan struct{} // Has a value when spans were added.
}

func (c *collection) add(r *receiver.Request) error {
	decode := recording.DecodeProtobuf
	if r.JSON {
		decode = recording.DecodeJSON
	}
	spans, err := decode(r.Message)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	room := min(maxCollected-len(c.spans), len(spans))
	c.spans = append(c.spans, spans[:room]...)
	c.omitted += len(spans) - room
	select {
	case c.added <- struct{}{}:
	default:
	}
	return nil
}

// wait returns when ctx is done, or when no spans have come for the time of quiet, if
// that is not zero.
func (c *collection) wait(ctx context.Context, quiet time.Duration) {
	silence := time.NewTimer(quiet)
	silence.Stop()
	defer silence.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-silence.C:
			return
		case <-c.added:
			if quiet > 0 {
				silence.Reset(quiet)
			}
		}
	}
}
