// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier

import (
	"net/url"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	corev1 "k8s.io/api/core/v1"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/observe"
)

// resourceVariable holds attributes of the resource of a process, as KEY=value with
// commas between them, each value percent-encoded.
// https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable
const resourceVariable = "OTEL_RESOURCE_ATTRIBUTES"

// nodeVariable is the variable with the node, beside those of [jobInfo].
const nodeVariable = "WAYBILL_NODE_NAME"

// podAttributes are the attributes that refer to variables of [jobInfo] and to
// nodeVariable, and jobAttributes those of a pod of a Job.
// https://opentelemetry.io/docs/specs/semconv/resource/k8s/
var (
	podAttributes = []reference{
		{"k8s.namespace.name", envcarrier.PodNamespaceVariable},
		{"k8s.pod.name", envcarrier.PodNameVariable},
		{"k8s.pod.uid", envcarrier.PodUIDVariable},
		{"k8s.node.name", nodeVariable},
	}
	jobAttributes = []reference{
		{"k8s.job.name", envcarrier.JobNameVariable},
		{"k8s.job.uid", envcarrier.JobUIDVariable},
	}
)

// reference is an attribute whose value is that of a variable.
type reference struct{ key, variable string }

// hasOwnResource reports whether the attributes of the resource of c can be extended:
// not if they come, or may come, from another object, where they cannot be seen.
func hasOwnResource(c container) bool {
	entry := lastOf(c.env, resourceVariable)
	return entry == nil && !c.mayBring || entry != nil && entry.ValueFrom == nil
}

// mayBringResource reports whether a source of EnvFrom, of which each key follows its
// prefix, may bring the variable with the attributes of the resource.
func mayBringResource(source corev1.EnvFromSource) bool {
	return strings.HasPrefix(resourceVariable, source.Prefix)
}

// resourceOf returns the variable with the attributes of the resource of a container:
// those that it has, those of the options, and those of its pod, each key once.
func (cfg *config) resourceOf(o object, c container) corev1.EnvVar {
	list := resourceList{}
	if entry := lastOf(c.env, resourceVariable); entry != nil {
		list.take(entry.Value)
	}
	for _, a := range cfg.resource {
		list.add(string(a.Key), escape(url.PathEscape(a.Value.String())))
	}
	for _, r := range podAttributes {
		list.add(r.key, "$("+r.variable+")")
	}
	list.add("k8s.container.name", escape(url.PathEscape(c.name)))
	if o.isJob {
		for _, r := range jobAttributes {
			list.add(r.key, "$("+r.variable+")")
		}
	}
	if list.isReduced {
		cfg.drop(observe.DropTooLarge)
	}
	return corev1.EnvVar{Name: resourceVariable, Value: list.text}
}

// resourceList is the text of [resourceVariable].
type resourceList struct {
	text string
	keys map[string]bool

	isReduced bool // Reports whether an attribute did not fit.
}

// take makes l the text of a list as it is.
func (l *resourceList) take(text string) {
	l.text = strings.TrimRight(text, ", ")
	l.keys = make(map[string]bool)
	for member := range strings.SplitSeq(l.text, ",") {
		key, _, _ := strings.Cut(member, "=")
		l.keys[strings.TrimSpace(key)] = true
	}
}

// add adds an attribute whose key is not there. A key that the list cannot hold, and what
// makes it longer than maxBytes, is left out.
func (l *resourceList) add(key, value string) {
	if key == "" || l.keys[key] || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(",=$", r) }) {
		return
	}
	if len(l.text)+len(",=")+len(key)+len(value) > maxBytes {
		l.isReduced = true
		return
	}
	if l.keys == nil {
		l.keys = make(map[string]bool)
	}
	l.keys[key] = true
	if l.text != "" {
		l.text += ","
	}
	l.text += key + "=" + value
}

// WithResource gives each selected container OTEL_RESOURCE_ATTRIBUTES, from which the
// SDKs of all languages describe their resource: the attributes that are given, such as
// service.version, and k8s.namespace.name, k8s.pod.name, k8s.pod.uid, k8s.node.name,
// k8s.container.name and, in a Job or a JobSet, k8s.job.name and k8s.job.uid. They refer
// to the variables of [WithJobInfo] and to WAYBILL_NODE_NAME, which it sets, so they are
// right for each pod. An attribute that makes the variable longer than 8 KiB is left out.
//
// What the variable holds stays and wins, and the variable is moved to the end, where it
// can refer to others. A variable with a ValueFrom stays as it is, and so does one that
// EnvFrom may bring, which a prefix can rule out. The webhook of the operator of
// OpenTelemetry appends to it. It has no effect on [InjectEnv].
func WithResource(attributes ...attribute.KeyValue) Option {
	return option(func(cfg *config) {
		cfg.hasResource = true
		cfg.resource = append(slices.Clip(cfg.resource), attributes...)
	})
}

// description returns the variables of [WithJobInfo] and [WithResource] for a container,
// and the one that is to stand at the end, or nil.
func (cfg *config) description(o object, c container) (info variables, last *corev1.EnvVar) {
	if !cfg.jobInfo && !cfg.hasResource {
		return nil, nil
	}
	info = jobInfo()
	if cfg.hasResource && hasOwnResource(c) {
		info[nodeVariable] = fieldRef(nodeVariable, "spec.nodeName")
		resource := cfg.resourceOf(o, c)
		last = &resource
	}
	return info, last
}
