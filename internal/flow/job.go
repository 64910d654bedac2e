// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import "go.opentelemetry.io/otel/trace"

// jobKey is the attribute with the name of a Kubernetes Job: of the span that creates
// one, and of the resource of the processes that run in it.
// https://opentelemetry.io/docs/specs/semconv/resource/k8s/
const jobKey = "k8s.job.name"

// jobDetail marks a finding about a job.
const jobDetail = "job"

// findJobs finds Kubernetes Jobs that start a new trace though the span that created
// them is recorded: P01.
func (s *search) findJobs() {
	creators := make(map[string][]int)
	for _, i := range s.g.order {
		if span := &s.g.spans[i]; span.Kind == trace.SpanKindProducer {
			if job := span.attribute(jobKey); job != "" && !s.g.delivered(i) {
				creators[job] = append(creators[job], i)
			}
		}
	}
	begun := make(map[instance]bool) // The pods of which a root was seen.
	for _, i := range s.g.order {
		span := &s.g.spans[i]
		created := creators[span.Job]
		if len(created) == 0 || span.Parent != (ID{}) || len(span.Links) > 0 || s.g.sends(i) || begun[span.instance()] {
			continue
		}
		begun[span.instance()] = true
		creator, sure := created[len(created)-1], Likely
		if len(created) == 1 {
			sure = Certain
		}
		if !s.found[i] && s.g.Apart(creator, i) {
			s.add(hit{id: "P01", span: i, from: creator, to: i, level: Violation, sure: sure, detail: jobDetail})
		}
	}
}

// job describes a Kubernetes Job without a context.
func (d *description) job(id string) {
	d.say(d.name+" starts a new trace: no context was extracted from the environment of the Job "+Clip(d.span.Job, maxText)+".",
		d.sender+" created this Job, and no span continues or links it. "+id,
		"Put the context into the environment of the pod when the Job is created, and extract it before the span is started: "+
			d.senderIn().in()+", "+idioms[d.senderIn()].createJob+", and "+d.receiver().after(d.senderIn())+d.idiom().startJob+".")
}
