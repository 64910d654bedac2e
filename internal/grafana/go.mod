module github.com/waybill-go/waybill/internal/grafana

go 1.26.0

require (
	github.com/grafana/grafana-foundation-sdk/go v0.0.22
	github.com/waybill-go/waybill v0.0.0
)

replace github.com/waybill-go/waybill => ../..
