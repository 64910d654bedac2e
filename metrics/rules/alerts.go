// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package rules

// The names of the alerts. Each has a page of its name in docs/runbooks.
const (
	AlertErrorRatio     = "EtlErrorRatio"
	AlertErrorSurge     = "EtlErrorSurge"
	AlertNotFresh       = "EtlNotFresh"
	AlertStageStuck     = "EtlStageStuck"
	AlertBacklog        = "EtlBacklog"
	AlertLatency        = "EtlLatency"
	AlertRejectRatio    = "EtlRejectRatio"
	AlertDataLoss       = "EtlDataLoss"
	AlertWatermarkStuck = "EtlWatermarkStuck"
	AlertMemory         = "EtlMemory"
	AlertTelemetryLost  = "EtlTelemetryLost"
	AlertObjectiveBurn  = "EtlObjectiveBurn"
)

// Alerts returns the names of all alerts.
func Alerts() []string {
	return []string{
		AlertErrorRatio, AlertErrorSurge, AlertNotFresh, AlertStageStuck, AlertBacklog, AlertLatency,
		AlertRejectRatio, AlertDataLoss, AlertWatermarkStuck, AlertMemory, AlertTelemetryLost, AlertObjectiveBurn,
	}
}
