// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package languages_test

import (
	"testing"
	"time"

	"github.com/waybill-go/waybill/flowtest"
	"github.com/waybill-go/waybill/internal/e2e/server"
)

// A test of flowtest follows a message through processes in Python and Java. Of the
// agent, only the instrumentation of Kafka is on, because the others take seconds to
// start.
func TestFlowtest_Processes(t *testing.T) {
	t.Parallel()
	k := server.FakeKafka(t, "orders", "parcels")
	f := flowtest.New(t)
	env := func(service string) []string { return append(f.Env(f.Context(), service), "KAFKA_BROKER="+k.Addr()) }

	shop := &goPeer{provider: f.Service("shop"), broker: k.Addr()}
	if err := shop.produce(f.Context(), "orders", 1); err != nil {
		t.Fatal(err)
	}
	peer(t, "python").run(t, env("packer"), "consume", "confluent", "orders", "1", "parcels")
	peer(t, "java").run(t, append(env("carrier"),
		"OTEL_INSTRUMENTATION_COMMON_DEFAULT_ENABLED=false", "OTEL_INSTRUMENTATION_KAFKA_ENABLED=true"), "consume", "parcels", "1")

	fl := f.Wait(10*time.Second, "packer parcels send", "carrier parcels process")
	fl.RequireConnected()
	fl.RequirePath("shop orders", "shop send orders", "packer orders process", "packer handle", "packer parcels send", "carrier parcels process")
	fl.RequireNoFindings()
}
