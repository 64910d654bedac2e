// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/riverqueue/river/rivertype"
)

var (
	_ rivertype.JobInsertMiddleware = River{}
	_ rivertype.WorkerMiddleware    = River{}
)

func carryRiver(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	return workRiver(t, insertRiver(ctx, t, []byte(`{}`)))
}

// insertRiver returns the metadata of a job that is inserted in ctx, as the
// client passes it to its middleware.
func insertRiver(ctx context.Context, t *testing.T, metadata []byte) []byte {
	t.Helper()
	job := &rivertype.JobInsertParams{Kind: "clean", Metadata: metadata}
	inserted := false
	if _, err := (River{}).InsertMany(ctx, []*rivertype.JobInsertParams{job}, func(context.Context) ([]*rivertype.JobInsertResult, error) {
		inserted = true
		return nil, nil
	}); err != nil || !inserted {
		t.Fatal("the job is not inserted:", err)
	}
	return job.Metadata
}

// workRiver returns the context in which a job with metadata is worked.
func workRiver(t *testing.T, metadata []byte) context.Context {
	t.Helper()
	received := make(chan context.Context, 1)
	if err := (River{}).Work(t.Context(), &rivertype.JobRow{Kind: "clean", Metadata: metadata}, func(ctx context.Context) error {
		received <- ctx
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return <-received
}

func TestRiverKeepsMetadata(t *testing.T) {
	t.Parallel()
	const own = `{"tenant": {"b":1, "a":2}, "river:unique": 1.50`
	got := insertRiver(inAnySpan(t), t, []byte(own+`}`))
	if len(got) < len(own) {
		t.Fatalf("the metadata is %s", got)
	}
	if diff := cmp.Diff(own, string(got[:len(own)])); diff != "" {
		t.Errorf("the metadata (-want +got):\n%s", diff)
	}
}

func TestRiverKeepsAContextThatIsThere(t *testing.T) {
	t.Parallel()
	ctx := inAnySpan(t)
	metadata := insertRiver(inAnySpan(t), t, insertRiver(ctx, t, nil))
	if traceID(workRiver(t, metadata)) != traceID(ctx) {
		t.Error("a later context has replaced it")
	}
}
