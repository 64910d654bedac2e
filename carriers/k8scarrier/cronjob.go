// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	batchv1 "k8s.io/api/batch/v1"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/propagation"
)

// InjectCronJob prepares the runs of cronJob, of which each is a flow of its own: a
// trace context in the variables of the containers and in the annotations of the
// templates is removed, and with [WithJobInfo] and [WithResource] the selected containers
// are told who they are, by the second also with k8s.cronjob.name, which no pod knows of
// itself. With [WithContextFile] the containers get the context of the init container of
// their own run. A Job that is made from the template by hand is one run, too: see
// [InjectJob].
//
// The trace context of ctx, if it has a valid span, goes into the variable
// envcarrier.CreatorVariable, to which package job and the command waybill exec link each
// run. One that is there stays, so that a controller that writes the object again and
// again does not change it.
//
// InjectCronJob modifies cronJob, but not if it returns an error: [ErrNil],
// [ErrNoContainers], [ErrContextFile], or [ErrNoContext] if there is nothing to write.
func InjectCronJob(ctx context.Context, cronJob *batchv1.CronJob, opts ...Option) error {
	if cronJob == nil {
		return ErrNil
	}
	cfg := newConfig(opts)
	if cfg.hasResource {
		cfg.resource = append(slices.Clip(cfg.resource), cronJobNameKey.String(cronJob.Name))
	}
	o := objectOfTemplate(&cronJob.Spec.JobTemplate.Spec.Template, nil)
	o.isJob = true
	if len(o.containers) == 0 {
		return ErrNoContainers
	}
	creator := creatorOf(ctx)
	t := cfg.targetOf(o)
	if creator == "" && !cfg.jobInfo && !cfg.hasResource && cfg.file == nil {
		return ErrNoContext
	}
	if err := t.checkFile(); err != nil {
		return err
	}
	for i, c := range o.containers {
		if t.isSelected[i] {
			info, last := cfg.description(o, c)
			setEnv(c, cfg.eachRun(c, creator, t.fileOf(i)), info, last)
		} else {
			setEnv(c, cfg.eachRun(c, "", nil), nil, nil)
		}
	}
	for _, template := range []metadata{&cronJob.Spec.JobTemplate, &cronJob.Spec.JobTemplate.Spec.Template} {
		if stripped := cfg.strip(template.GetAnnotations()); len(stripped) < len(template.GetAnnotations()) {
			template.SetAnnotations(stripped)
		}
	}
	return nil
}

// cronJobNameKey is the attribute with the name of a CronJob.
// https://opentelemetry.io/docs/specs/semconv/resource/k8s/
const cronJobNameKey = attribute.Key("k8s.cronjob.name")

// eachRun returns the variables for a container that is started again and again: none
// of a context that all runs would continue, and the creator, which each links. If file is
// not nil, it has the context of each run.
func (cfg *config) eachRun(c container, creator string, file *contextFile) variables {
	set := variables{}
	for _, key := range cfg.keys() {
		name := envcarrier.Normalize(key)
		if set[name] = nil; file != nil {
			set[name] = file.variable(name)
		}
	}
	if creator != "" && valueOf(c.env, envcarrier.CreatorVariable) == "" {
		set[envcarrier.CreatorVariable] = literal(envcarrier.CreatorVariable, creator)
	}
	return set
}

// creatorOf returns the traceparent of ctx, or the empty string.
func creatorOf(ctx context.Context) string {
	return propagation.Map(ctx, propagation.WithPropagator(propagation.TraceContext{}))["traceparent"]
}
