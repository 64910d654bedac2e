// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package flowsampler samples whole flows: all traces of a flow that are joined by
// links, or none of them.
//
// # When
//
// Use it where traces are sampled and flows continue over links: batches,
// [propagation.AsLink], data that is older than [propagation.WithMaxAge]. Each of
// these starts a new root, which a parent-based sampler decides anew: of a flow of
// four traces, sampling at 1 % keeps one in a hundred million whole.
//
// If every receiver continues the trace of its sender, the samplers of the SDK
// keep flows whole, and this package is not needed.
//
// # How
//
// Give a [Sampler] to the tracer provider of each service:
//
//	sampler, err := flowsampler.New(0.01)
//	if err != nil {
//		return err
//	}
//	provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler))
//
// [Wrap] decides new flows with a sampler of your own. [WithRateLimit] limits the
// flows that begin a second, and [WithKeep] keeps those that are marked, such as
// replays and tests.
//
// # How it decides
//
// A span with a parent, local or remote, follows the parent. A new root is decided
// by the randomness of its flow, a number of 56 bits, as in OpenTelemetry's
// consistent probability sampling. The randomness is, in this order:
//
//  1. what the caller put into the tracestate of the root, as ot=rv:…;
//  2. that of the earliest link: its ot=rv:…, or else the end of its trace ID;
//  3. the end of the root's own trace ID.
//
// A root that takes the randomness of a link writes it to its own tracestate, as
// ot=rv:…, whether it is sampled or not. So the next root finds it, over any
// number of links and in any language. No service needs a state or a query.
//
// The earliest link is the one to the remote whose data entered the flow first, by
// its waybill, if [propagation.Start] made the span. Otherwise it is the first
// valid link.
//
// # Guarantees
//
//   - All roots of a flow are decided alike by samplers with the same probability.
//     A sampler with a higher probability keeps what the others keep, and more.
//   - Links to remotes that [propagation.WithUntrusted] has marked are ignored,
//     unless [WithUntrustedLinks] is used.
//   - A span that is kept with a known probability has the threshold in its
//     tracestate, as ot=th:…, from which back ends compute adjusted counts. If the
//     probability is not known, the threshold is removed.
//   - Other members of a tracestate and other sub-keys of ot are kept, as far as
//     the limits of W3C Trace Context allow.
//   - ShouldSample never panics, takes no lock, and allocates nothing except for
//     the tracestate of a linked root: two allocations, or none if the linked root
//     has the same tracestate.
//
// # Limits
//
// A sampler decides when a span starts, before there is an error or a duration. It
// cannot keep the beginning of a flow that fails later; a collector's tail sampling
// can. A flow whose first service does not sample by this randomness, such
// as one with [sdktrace.TraceIDRatioBased], is decided anew at its first link. A
// batch belongs to many flows and follows the earliest only.
//
// The page docs/sampling.md explains these limits and the set-up with a collector.
//
// The package imports the SDK, so only main packages and tests should import it. It
// emits no telemetry besides the tracestate: sub-keys rv and th of the member ot.
package flowsampler
