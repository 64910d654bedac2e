// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// check compares the metrics with what MongoDB and Kafka hold, and checks that all
// spans form one flow.
func (d *demo) check(ctx context.Context, t tally, r recorded) error {
	written, err := d.broker.written(ctx)
	if err != nil {
		return err
	}
	loaded, err := d.db.Collection(collectionQuakes).CountDocuments(ctx, bson.D{})
	if err != nil {
		return err
	}
	for _, c := range []struct {
		what          string
		metric, truth int
	}{
		{"events extracted", t.wrote("extract"), d.events},
		{"messages in " + topicRaw, t.wrote("publish"), int(written[topicRaw])},
		{"messages in " + topicRejected, sumOf(t.rejected("transform")), int(written[topicRejected])},
		{"quakes in MongoDB", t.wrote("load"), int(loaded)},
		{"events cleaned", t.wrote("load") + sumOf(t.rejected("transform")), d.events},
		{"quakes assessed", t.read("summarise"), t.wrote("dispatch")},
	} {
		if c.metric != c.truth {
			err = errors.Join(err, fmt.Errorf("the metrics say %d %s, but there are %d", c.metric, c.what, c.truth))
		}
	}
	if found := r.findings(); len(found) > 0 || len(r.diagnosis.Flows) != 1 {
		err = errors.Join(err, fmt.Errorf("the spans are not one flow with nothing wrong: %s\n%s", r.summary(), describe(found)))
	}
	if err == nil {
		d.printf("Checked: the metrics say what Kafka and MongoDB hold, and all %s are one flow.\n", plural(len(r.graph.Spans()), "span"))
	}
	return err
}
