// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flow

// Process is what a resource says of the process that made its spans.
type Process struct {
	Service  string
	Instance string // Tells the processes of a service apart; may be empty.
	Job      string // The Kubernetes Job that it runs in; may be empty.
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
	case serviceKey, instanceKey, hostKey, podKey, pidKey, jobKey:
		return true
	default:
		return false
	}
}

// ProcessOf returns what the attributes of a resource say. The function attribute returns
// the text of an attribute, or the empty string.
func ProcessOf(attribute func(key string) string) Process {
	p := Process{Service: attribute(serviceKey), Instance: attribute(instanceKey), Job: attribute(jobKey)}
	if p.Instance == "" {
		p.Instance = join(attribute(hostKey)+attribute(podKey), attribute(pidKey))
	}
	return p
}

// SetProcess sets the fields of s that its process has.
func (s *Span) SetProcess(p Process) {
	s.Service, s.Instance, s.Job = p.Service, p.Instance, p.Job
}
