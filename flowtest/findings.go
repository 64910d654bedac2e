// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package flowtest

import (
	"slices"
	"strings"

	"github.com/waybill-go/waybill/internal/flow"
)

// findingsConfig selects the findings of [Recording.RequireNoFindings].
type findingsConfig struct {
	allowed, boundary []string
	least             flow.Level
}

// FindingsOption configures [Recording.RequireNoFindings]. Options with ids or services
// add up. Nil options are ignored.
type FindingsOption interface {
	applyFindings(c findingsConfig) findingsConfig
}

type findingsOptionFunc func(findingsConfig) findingsConfig

func (f findingsOptionFunc) applyFindings(c findingsConfig) findingsConfig { return f(c) }

// Allow allows the findings with the given ids, such as "P18".
func Allow(ids ...string) FindingsOption {
	return findingsOptionFunc(func(c findingsConfig) findingsConfig {
		c.allowed = append(c.allowed, ids...)
		return c
	})
}

// WithBoundary names services whose spans end here: what they call is recorded
// elsewhere, so that a missing parent of one of their spans is not a finding. It is the
// flag --boundary of the command waybill.
func WithBoundary(services ...string) FindingsOption {
	return findingsOptionFunc(func(c findingsConfig) findingsConfig {
		c.boundary = append(c.boundary, services...)
		return c
	})
}

// WithInfo also selects the findings of the level info, which are guesses and things
// worth knowing. The default is violations and warnings.
func WithInfo() FindingsOption {
	return findingsOptionFunc(func(c findingsConfig) findingsConfig {
		c.least = flow.Info
		return c
	})
}

// RequireNoFindings stops the test if the command waybill would find something wrong
// with the recorded spans, whether they form one flow or several: a violation or a
// warning, such as P17, a child of a span that had ended. The page docs/diagnosis.md lists
// the findings. A recording without spans stops the test too, and so does an id that is
// not the one of a finding.
func (r *Recording) RequireNoFindings(opts ...FindingsOption) {
	r.t.Helper()
	c := findingsConfig{least: flow.Warning}
	for _, opt := range opts {
		if opt != nil {
			c = opt.applyFindings(c)
		}
	}
	for _, id := range c.allowed {
		if flow.Title(id) == "" {
			r.t.Fatalf("flowtest: Allow: there is no finding %q; they are P01 to P24", id)
			return
		}
	}
	d := r.diagnose(flow.Expectation{Boundary: c.boundary}, c.least)
	if len(r.stubs) == 0 {
		r.fatal(d, "RequireNoFindings: "+d.Summary(r.graph))
		return
	}
	d.Findings = slices.DeleteFunc(d.Findings, func(f flow.Finding) bool {
		return slices.Contains(c.allowed, f.ID)
	})
	if len(d.Findings) > 0 {
		r.fatal(d, "RequireNoFindings: found "+idsOf(d.Findings)+"; "+d.Summary(r.graph))
	}
}

// idsOf lists the ids of findings.
func idsOf(findings []flow.Finding) string {
	var ids []string
	for i := range findings {
		if !slices.Contains(ids, findings[i].ID) {
			ids = append(ids, findings[i].ID)
		}
	}
	return strings.Join(ids, ", ")
}
