// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package execute

import (
	"context"

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
		job.WithAnnotations(cfg.Annotations, cfg.AnnotationPrefix))
}

// inject returns a copy of environ with the context of ctx in place of any that environ
// holds. The baggage is not part of it: what it is without this process, it stays.
func inject(ctx context.Context, environ []string) []string {
	given, prepared := envcarrier.Carrier(environ), envcarrier.Carrier(envcarrier.Inject(ctx, environ))
	if value := given.Get("baggage"); value != "" {
		prepared.Set("baggage", value)
	}
	return prepared
}
