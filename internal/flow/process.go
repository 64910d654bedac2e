// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

import "iter"

// Process is what a resource says of the process that made its spans.
type Process struct {
	Service  string
	Instance string // Tells the processes of a service apart; may be empty.
	Job      string // The Kubernetes Job that it runs in; may be empty.
	Language Language
}

// The attributes of a resource that [ProcessOf] reads.
// https://opentelemetry.io/docs/specs/semconv/resource/
const (
	serviceKey  = "service.name"
	instanceKey = "service.instance.id"
	hostKey     = "host.name"
	podKey      = "k8s.pod.name"
	pidKey      = "process.pid"
)

// NamesProcess reports whether [ProcessOf] reads the attribute key.
func NamesProcess(key string) bool {
	switch key {
	case serviceKey, instanceKey, hostKey, podKey, pidKey, jobKey, languageKey:
		return true
	default:
		return false
	}
}

// ProcessOf returns what the attributes of a resource say. The function attribute returns
// the text of an attribute, or the empty string.
func ProcessOf(attribute func(key string) string) Process {
	p := Process{
		Service: attribute(serviceKey), Instance: attribute(instanceKey), Job: attribute(jobKey),
		Language: languageOf(attribute(languageKey)),
	}
	if p.Instance == "" {
		p.Instance = join(attribute(hostKey)+attribute(podKey), attribute(pidKey))
	}
	return p
}

// SetProcess sets the fields of s that its process has.
func (s *Span) SetProcess(p Process) {
	s.Service, s.Instance, s.Job, s.Language = p.Service, p.Instance, p.Job, p.Language
}

// Attributes returns the attributes of a resource that say p, without those that are empty.
func (p Process) Attributes() iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		for _, kv := range [...][2]string{
			{serviceKey, p.Service}, {instanceKey, p.Instance}, {jobKey, p.Job}, {languageKey, p.Language.sdk()},
		} {
			if kv[1] != "" && !yield(kv[0], kv[1]) {
				return
			}
		}
	}
}
