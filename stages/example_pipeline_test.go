// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/waybill-go/waybill/metrics"
	"github.com/waybill-go/waybill/stages"
)

var errNoPrice = errors.New("no price")

// parsePrice is a function of the pipeline. It counts what it does, and returns a
// bad row as a rejection.
func parsePrice(ctx context.Context, row string) (float64, error) {
	run := stages.FromContext(ctx)
	run.Read(1)
	if row == "" {
		return 0, stages.Reject(errNoPrice, "no_price")
	}
	price, err := strconv.ParseFloat(row, 64)
	if err != nil {
		return 0, err
	}
	run.Wrote(1)
	return price, nil
}

// storePrices is the function that loads the rows.
func storePrices(ctx context.Context, prices []float64) error {
	stages.FromContext(ctx).Wrote(len(prices))
	return nil
}

// A pipeline of two stages whose functions keep their types.
func Example() {
	registry := prometheus.NewRegistry()
	m := stages.Must(metrics.New(registry))
	orders := stages.Must(stages.NewPipeline("orders", stages.WithObserver(m)))
	parse := stages.Wrap(stages.Must(orders.Stage("parse")), parsePrice)
	store := stages.WrapErr(stages.Must(orders.Stage("store")), storePrices)

	fmt.Println(orders.Run(context.Background(), func(ctx context.Context) error {
		var prices []float64
		for _, row := range []string{"3.20", "", "7.50"} {
			price, err := parse(ctx, row)
			if reason, ok := stages.RejectReason(err); ok {
				fmt.Println("rejected:", reason)
				continue
			}
			if err != nil {
				return err
			}
			prices = append(prices, price)
		}
		return store(ctx, prices)
	}))

	families, _ := registry.Gather()
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "etl_rows_") {
			_, _ = expfmt.MetricFamilyToText(os.Stdout, family)
		}
	}
	// Output:
	// rejected: no_price
	// <nil>
	// # HELP etl_rows_processed_total Rows that came out of a stage well.
	// # TYPE etl_rows_processed_total counter
	// etl_rows_processed_total{pipeline="orders",source="",stage="parse"} 2
	// etl_rows_processed_total{pipeline="orders",source="",stage="store"} 2
	// # HELP etl_rows_read_total Rows that came into a stage.
	// # TYPE etl_rows_read_total counter
	// etl_rows_read_total{pipeline="orders",source="",stage="parse"} 3
	// # HELP etl_rows_rejected_total Rows that a stage turned away.
	// # TYPE etl_rows_rejected_total counter
	// etl_rows_rejected_total{pipeline="orders",reason="no_price",stage="parse"} 1
}
