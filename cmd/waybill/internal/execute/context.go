// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

import (
	"go.opentelemetry.io/otel/baggage"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/job"
	"github.com/waybill-go/waybill/propagation"
)

// findContext returns the context that the job was started with: of its
// environment, its arguments, or the annotations of its pod, in this order.
func findContext(cfg *Config, environ []string) propagation.Remote {
	var args []string
	if cfg.FromArgs {
		args = cfg.Command[1:]
	}
	return job.Read(job.WithEnviron(environ), job.WithArgs(args),
		job.WithAnnotations(cfg.Annotations, cfg.AnnotationPrefix), job.WithPropagation(withBaggageOf(environ)))
}

// withBaggageOf selects the members of the baggage in environ: what the job was
// given there, the command is given too.
func withBaggageOf(environ []string) propagation.Option {
	carrier := envcarrier.Carrier(environ)
	members, err := baggage.Parse(carrier.Get("baggage"))
	if err != nil {
		return nil
	}
	var keys []string
	for _, member := range members.Members() {
		keys = append(keys, member.Key())
	}
	return propagation.WithBaggage(keys...)
}
