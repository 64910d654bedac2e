// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package k8scarrier_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"github.com/waybill-go/waybill/carriers/envcarrier"
	"github.com/waybill-go/waybill/carriers/k8scarrier"
)

// pod is the data from which kubelet makes the environment of a
// container: a model of what Kubernetes documents, for round trips.
type pod struct {
	envFrom     map[string]string // Of all sources, and of services.
	annotations map[string]string
	labels      map[string]string
	file        map[string]string // The variables of a file, which may be empty but not nil.
}

var (
	annotationRef = regexp.MustCompile(`^metadata\.annotations\['(.+)'\]$`)
	labelRef      = regexp.MustCompile(`^metadata\.labels\['(.+)'\]$`)
	dollar        = regexp.MustCompile(`(?s)\$\$|\$\([^)]*\)`)
)

// start returns the environment that a process of the container gets.
func (p pod) start(t testing.TB, c corev1.Container) map[string]string {
	t.Helper()
	known := map[string]string{}
	for name, value := range p.envFrom {
		if len(c.EnvFrom) > 0 {
			known[name] = value
		}
	}
	for _, entry := range c.Env {
		switch {
		case entry.Value != "" && entry.ValueFrom != nil:
			t.Fatalf("%s has a value and a source, which the API server refuses", entry.Name)
		case entry.ValueFrom == nil:
			known[entry.Name] = expand(entry.Value, known)
		case entry.ValueFrom.FileKeyRef != nil:
			if p.file == nil {
				t.Fatalf("the container %s is not started without a file", c.Name)
			}
			if value := p.file[entry.ValueFrom.FileKeyRef.Key]; value != "" {
				known[entry.Name] = value
			}
		case annotationRef.MatchString(entry.ValueFrom.FieldRef.FieldPath):
			known[entry.Name] = p.annotations[annotationRef.FindStringSubmatch(entry.ValueFrom.FieldRef.FieldPath)[1]]
		case labelRef.MatchString(entry.ValueFrom.FieldRef.FieldPath):
			known[entry.Name] = p.labels[labelRef.FindStringSubmatch(entry.ValueFrom.FieldRef.FieldPath)[1]]
		default:
			known[entry.Name] = entry.ValueFrom.FieldRef.FieldPath
		}
	}
	return known
}

// expand is what kubelet makes of a value: $(NAME) is the value of a variable
// known so far, $$ is a dollar, and anything else stays as it is.
func expand(value string, known map[string]string) string {
	return dollar.ReplaceAllStringFunc(value, func(found string) string {
		if found == "$$" {
			return "$"
		}
		if known, ok := known[found[2:len(found)-1]]; ok {
			return known
		}
		return found
	})
}

// environ returns what the process sees as a list.
func environ(values map[string]string) []string {
	list := make([]string, 0, len(values))
	for name, value := range values {
		list = append(list, name+"="+value)
	}
	return list
}

func FuzzEnvSetter_ValuesReachTheProcess(f *testing.F) {
	for _, seed := range []string{
		"a=1", "$", "$$", "$(FOO)", "$(FOO", "$$(FOO)", "a$$$(FOO)$", "$(TRACEPARENT)", "$(A$B)", "$\xc3\xa9", "$($$)", "($)", "\n$(\n)", "\xff",
	} {
		f.Add(seed, "x")
	}
	f.Fuzz(func(t *testing.T, value, other string) {
		env := []corev1.EnvVar{{Name: "FOO", Value: "secret"}}
		k8scarrier.EnvSetter{}.Set(&env, "baggage", value)
		known := pod{envFrom: map[string]string{"A": other}}.start(t, corev1.Container{
			EnvFrom: []corev1.EnvFromSource{{}},
			Env:     append([]corev1.EnvVar{{Name: "FOO", Value: "secret"}, {Name: "A$B", Value: "secret"}}, env...),
		})
		if strings.Contains(value, "\x00") || !utf8.ValidString(value) {
			value = "" // it is left out.
		}
		if known["BAGGAGE"] != value {
			t.Errorf("the process gets %q of %q, through %q", known["BAGGAGE"], value, env)
		}
		if got := (k8scarrier.EnvSetter{}).Get(&env, "baggage"); got != value {
			t.Errorf("%q is read as %q", value, got)
		}
	})
}

// Get reads a value as kubelet does if no variable is known.
func FuzzEnvSetter_GetReadsAsKubeletDoes(f *testing.F) {
	for _, seed := range []string{"$$", "$$$", "$(FOO)", "$$(FOO)", "$(A$$B)", "$(", "a$(b$(c)", "$)$("} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		env := []corev1.EnvVar{{Name: "BAGGAGE", Value: value}}
		if got, want := (k8scarrier.EnvSetter{}).Get(&env, "baggage"), expand(value, nil); got != want {
			t.Errorf("%q is read as %q, want %q", value, got, want)
		}
	})
}

// Variables have the names that envcarrier gives them, which Kubernetes accepts.
func FuzzEnvSetter_Names(f *testing.F) {
	for _, seed := range []string{"", "traceparent", "x-b3-traceid", "0abc", "🧳", "Mój", "\xff", "A=B"} {
		f.Add(seed)
	}
	strict := regexp.MustCompile(`^[-._a-zA-Z][-._a-zA-Z0-9]*$`)
	f.Fuzz(func(t *testing.T, key string) {
		var env []corev1.EnvVar
		k8scarrier.EnvSetter{}.Set(&env, key, "v")
		if got, want := env[0].Name, envcarrier.Normalize(key); got != want || !strict.MatchString(got) {
			t.Errorf("%q goes under %q, want %q", key, got, want)
		}
	})
}

// TestExpand keeps the model honest with examples of the documentation.
// https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
func TestExpand(t *testing.T) {
	t.Parallel()
	known := map[string]string{"PROTOCOL": "https", "PORT": "80"}
	for value, want := range map[string]string{
		"$(PROTOCOL)://172.17.0.1:$(PORT)": "https://172.17.0.1:80",
		"$(UNDEFINED):$(PORT)":             "$(UNDEFINED):80",
		"$$(PROTOCOL)":                     "$(PROTOCOL)",
		"$$$(PORT)":                        "$80",
		"$(PORT":                           "$(PORT",
		"cost: 5$":                         "cost: 5$",
		"$$$$":                             "$$",
	} {
		if got := expand(value, known); got != want {
			t.Errorf("expand(%q) = %q, want %q", value, got, want)
		}
	}
}
