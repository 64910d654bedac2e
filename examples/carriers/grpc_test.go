// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package carriers

import (
	"context"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
)

func carryGRPC(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	return ExtractGRPC(callGRPC(InjectGRPC(ctx), t))
}

// callGRPC makes a call and returns the context in which it is served.
func callGRPC(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	received := make(chan context.Context, 1)
	server := grpc.NewServer(grpc.UnaryInterceptor(
		func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			received <- ctx
			return handle(ctx, request)
		}))
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	listener := bufconn.Listen(1 << 16)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)

	conn, err := grpc.NewClient("passthrough:local", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	return <-received
}

func TestGRPCKeepsMetadata(t *testing.T) {
	t.Parallel()
	ctx := metadata.AppendToOutgoingContext(inAnySpan(t), "User", "1", "user", "2", "key-bin", "\x00\xff", "tracestate", "old=1")
	received, _ := metadata.FromIncomingContext(callGRPC(InjectGRPC(ctx), t))
	for key, want := range map[string][]string{
		"user":       {"1", "2"},
		"key-bin":    {"\x00\xff"},
		"tracestate": {"vendor=7"},
	} {
		if diff := cmp.Diff(want, received.Get(key)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
}
