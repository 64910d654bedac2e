// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/waybill-go/waybill/observe"
	"github.com/waybill-go/waybill/stages"
)

// datasetAttributes returns the attributes of datasets of the only span of r.
func datasetAttributes(t *testing.T, r rig) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, a := range r.span(t).Attributes {
		if key := string(a.Key); strings.HasPrefix(key, "etl.input") || strings.HasPrefix(key, "etl.output") {
			got[key] = a.Value.String()
		}
	}
	return got
}

func TestRun_InputAndOutput(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		report func(run *stages.Run)
		want   map[string]string
		drops  map[string]int
	}{
		{name: "none", report: func(*stages.Run) {}, want: map[string]string{}},
		{name: "nothing known", report: func(run *stages.Run) { run.Input(stages.Dataset{}) }, want: map[string]string{}},
		{name: "one of each", report: func(run *stages.Run) {
			run.Input(stages.Dataset{Name: "orders", Format: "csv", Path: "/data/orders.csv", Rows: 3, Bytes: 90})
			run.Output(stages.Dataset{Name: "shop.orders", Rows: 2})
		}, want: map[string]string{
			"etl.input.names": `["orders"]`, "etl.input.formats": `["csv"]`, "etl.input.paths": `["/data/orders.csv"]`,
			"etl.input.rows": "[3]", "etl.input.bytes": "[90]",
			"etl.output.names": `["shop.orders"]`, "etl.output.rows": "[2]",
		}},
		{name: "in pieces", report: func(run *stages.Run) {
			for range 3 {
				run.Output(stages.Dataset{Name: "orders", Rows: 2, Bytes: 10})
			}
			run.Output(stages.Dataset{Name: "orders", Format: "csv", Rows: 1})
		}, want: map[string]string{
			"etl.output.names": `["orders","orders"]`, "etl.output.formats": `["","csv"]`, "etl.output.rows": "[6,1]", "etl.output.bytes": "[30,0]",
		}},
		{name: "below zero", report: func(run *stages.Run) { run.Input(stages.Dataset{Name: "orders", Rows: -1, Bytes: 5}) }, want: map[string]string{
			"etl.input.names": `["orders"]`, "etl.input.bytes": "[5]",
		}, drops: map[string]int{"negative": 1}},
		{name: "any bytes", report: func(run *stages.Run) { run.Input(stages.Dataset{Name: "a\xff"}) }, want: map[string]string{"etl.input.names": "[\"a\uFFFD\"]"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			_ = r.Run(t.Context(), func(ctx context.Context) error { tt.report(stages.FromContext(ctx)); return nil })
			if diff := cmp.Diff(tt.want, datasetAttributes(t, r)); diff != "" {
				t.Errorf("attributes (-want +got)\n%s", diff)
			}
			if tt.drops == nil {
				tt.drops = map[string]int{}
			}
			if diff := cmp.Diff(tt.drops, r.probe.drops); diff != "" {
				t.Errorf("dropped (-want +got)\n%s", diff)
			}
			if len(r.probe.counts) != 0 {
				t.Errorf("counts = %v, want none", r.probe.counts)
			}
		})
	}
}

func TestRun_TooManyInputs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_ = r.Run(t.Context(), func(ctx context.Context) error {
		run := stages.FromContext(ctx)
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				run.Input(stages.Dataset{Name: strconv.Itoa(i), Path: strings.Repeat("x", 5000)})
				run.Output(stages.Dataset{Name: "one", Rows: 1})
			})
		}
		all.Wait()
		return nil
	})
	if got := r.probe.dropped(observe.DropDataset); got != 68 {
		t.Errorf("%d datasets dropped, want 68", got)
	}
	got := datasetAttributes(t, r)
	if n := strings.Count(got["etl.input.names"], ","); n != 31 || len(got["etl.input.paths"]) > 33*1100 {
		t.Errorf("%d inputs in %d bytes, want 32 of at most 1024 bytes each", n+1, len(got["etl.input.paths"]))
	}
	if got["etl.output.rows"] != "[100]" {
		t.Errorf("rows = %s, want [100]", got["etl.output.rows"])
	}
}

func TestDataset_Secrets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ path, want string }{
		{path: "", want: ""},
		{path: "/data/orders.csv", want: "/data/orders.csv"},
		{path: "/data/a@b#1.csv", want: "/data/a@b#1.csv"},
		{path: `C:\data\orders.csv`, want: `C:\data\orders.csv`},
		{path: "s3://lake/orders/day=1", want: "s3://lake/orders/day=1"},
		{path: "s3://lake/a@b.csv", want: "s3://lake/a@b.csv"},
		{path: "http://[::1]:80/a@b", want: "http://[::1]:80/a@b"},
		{path: "kafka://broker:9092/a@b", want: "kafka://broker:9092/a@b"},
		{path: "postgres://user:SECRET@db:5432/shop?sslmode=off", want: "postgres://db:5432/shop"},
		{path: "postgres://user:SE/CR?E#T@db/shop", want: "postgres://db/shop"},
		{path: "postgres://user:SE@CRET@db/shop", want: "postgres://db/shop"},
		{path: "postgres://user:SE/CRET@db/shop?mail=a@b", want: "postgres://"},
		{path: "https://host/a?sig=SECRET#SECRET", want: "https://host/a"},
		{path: "https://host?mail=a@b", want: "https://host"},
		{path: "https://host/a#SECRET", want: "https://host/a"},
		{path: "jdbc:postgresql://user:SECRET@db/shop?password=SECRET", want: "jdbc:postgresql://db/shop"},
		{path: "user:SECRET@tcp(db:3306)/shop", want: "tcp(db:3306)/shop"},
		{path: "host=db user=u Password=SECRET", want: ""},
		{path: "jdbc:sqlserver://db;user=u;Pwd=SECRET", want: ""},
	} {
		r := newRig(t)
		_ = r.Run(t.Context(), func(ctx context.Context) error {
			stages.FromContext(ctx).Input(stages.Dataset{Name: tt.path, Path: tt.path, Rows: 1})
			return nil
		})
		got := datasetAttributes(t, r)
		want := ""
		if tt.want != "" {
			want = `["` + strings.ReplaceAll(tt.want, `\`, `\\`) + `"]`
		}
		if got["etl.input.paths"] != want || got["etl.input.names"] != want {
			t.Errorf("%s is recorded as %s and %s, want %s", tt.path, got["etl.input.names"], got["etl.input.paths"], want)
		}
	}
}

func FuzzWithoutSecrets(f *testing.F) {
	f.Add("user:pass", "db:5432", "/shop", "sslmode=off")
	f.Add("a:b/c", "host", "", "x@y")
	f.Fuzz(func(t *testing.T, user, host, path, query string) {
		const secret = "S3CR3T"
		if strings.ContainsAny(host, "/?#@:") || strings.ContainsAny(path, "?#") || strings.Contains(user, "@") {
			return // Another URL.
		}
		url := "x://u:" + secret + user + "@" + host + "/" + path + "?" + query + secret
		if got := stages.WithoutSecrets(url); strings.Contains(got, secret) {
			t.Errorf("%q becomes %q", url, got)
		}
	})
}

func TestRun_DatasetsWithoutARun(t *testing.T) {
	t.Parallel()
	for _, run := range []*stages.Run{nil, {}} {
		run.Input(stages.Dataset{Name: "orders"})
		run.Output(stages.Dataset{Name: "orders"})
	}
}

// printDatasets prints the attributes of datasets that fn records.
func printDatasets(fn func(run *stages.Run)) {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	p, _ := stages.NewPipeline("orders", stages.WithTracerProvider(provider))
	load, _ := p.Stage("load")
	_ = load.Run(context.Background(), func(ctx context.Context) error { fn(stages.FromContext(ctx)); return nil })
	for _, a := range spans.GetSpans()[0].Attributes {
		if strings.HasPrefix(string(a.Key), "etl.input") || strings.HasPrefix(string(a.Key), "etl.output") {
			fmt.Println(a.Key, a.Value.String())
		}
	}
}

func ExampleRun_Input() {
	printDatasets(func(run *stages.Run) {
		run.Input(stages.Dataset{Name: "orders", Format: "csv", Path: "s3://lake/orders/day=1?X-Amz-Signature=abc", Rows: 100})
	})
	// Output:
	// etl.input.names ["orders"]
	// etl.input.formats ["csv"]
	// etl.input.paths ["s3://lake/orders/day=1"]
	// etl.input.rows [100]
}

func ExampleRun_Output() {
	printDatasets(func(run *stages.Run) {
		for range 4 { // Batches.
			run.Output(stages.Dataset{Name: "shop.public.orders", Rows: 25})
		}
	})
	// Output:
	// etl.output.names ["shop.public.orders"]
	// etl.output.rows [100]
}
