// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/internal/e2e/server"
)

// The Java of these tests is a script, so that they need none.
func TestWhatIsMissingFailsTheTestWithAdvice(t *testing.T) {
	t.Setenv("KAFKA_BROKERS", "")
	t.Setenv("MONGODB_URI", "")
	kafka := func(tb testing.TB) { tb.Helper(); server.Kafka(tb) }
	mongo := func(tb testing.TB) { tb.Helper(); server.Mongo(tb) }
	tests := map[string]struct {
		java  string
		cache []string
		start func(testing.TB)
		want  []string
	}{
		"no java":            {"", []string{"kafka"}, kafka, []string{"java is missing", "run `make e2e-deps`"}},
		"no Kafka":           {"exit 0", nil, kafka, []string{"kafka is missing", "run `make e2e-deps`"}},
		"no mongo":           {"exit 0", []string{"kafka"}, mongo, []string{"mongo-java-server is missing", "run `make e2e-deps`"}},
		"storage is refused": {"echo bad config; exit 1", []string{"kafka"}, kafka, []string{"format the storage", "bad config"}},
		"a server that ends": {"echo the port is taken; exit 1", []string{"mongo-java-server"}, mongo, []string{"ended before it was ready", "the port is taken"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			put(t, filepath.Join(root, "internal", "e2e", "deps.sh"), "")
			for _, folder := range tt.cache {
				put(t, filepath.Join(root, ".cache", "e2e", folder, "from"), "")
			}
			if tt.java != "" {
				put(t, filepath.Join(root, "bin", "java"), "#!/bin/sh\n"+tt.java+"\n")
			}
			t.Setenv("PATH", filepath.Join(root, "bin"))
			t.Chdir(filepath.Join(root, "internal", "e2e"))
			said := fatal(t, tt.start)
			for _, want := range tt.want {
				if !strings.Contains(said, want) {
					t.Errorf("it says %q, want %q in it", said, want)
				}
			}
		})
	}
}

func put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}
