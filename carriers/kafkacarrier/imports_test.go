// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package kafkacarrier_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// What a user of this package links is kafka-go, the API of
// OpenTelemetry, and what is below us.
func TestImports(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			root, _, _ := strings.Cut(path, "/")
			ours, isOurs := strings.CutPrefix(path, "github.com/waybill-go/waybill/")
			api, isOTel := strings.CutPrefix(path, "go.opentelemetry.io/otel")
			switch {
			case !strings.Contains(root, "."), path == "github.com/segmentio/kafka-go", path == "github.com/segmentio/kafka-go/protocol/metadata":
			case isOurs && (ours == "propagation" || ours == "observe" || strings.HasPrefix(ours, "internal/")):
			case isOTel && !strings.HasPrefix(api, "/sdk") && !strings.HasPrefix(api, "/semconv"):
			default:
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}
