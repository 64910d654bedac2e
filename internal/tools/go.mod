module github.com/waybill-go/waybill/internal/tools

go 1.26.0

tool (
	github.com/waybill-go/waybill/internal/tools/cmd/apirecord
	github.com/waybill-go/waybill/internal/tools/cmd/orphanexamples
	github.com/waybill-go/waybill/internal/tools/cmd/releasecheck
	golang.org/x/perf/cmd/benchstat
	golang.org/x/vuln/cmd/govulncheck
)

require (
	golang.org/x/mod v0.43.0
	golang.org/x/tools v0.52.0
)

require (
	github.com/aclements/go-moremath v0.0.0-20210112150236-f10218a38794 // indirect
	golang.org/x/perf v0.0.0-20260908200009-22c9c6c9d4da // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/telemetry v0.0.0-20261009151841-97e8ea77aa2a // indirect
	golang.org/x/vuln v1.8.0 // indirect
)
