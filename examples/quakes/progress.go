// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/waybill-go/waybill/internal/flow"
)

// tellStart prints what is about to happen, and where.
func (d *demo) tellStart() {
	d.printf("A week of earthquakes, %s events, goes through five services, each a process of its own.\n", flow.Count(d.events))
	var inside []string
	for _, server := range [][2]string{
		{"Kafka", d.kafka}, {"MongoDB", d.mongo}, {"Kubernetes", d.kubeconfig}, {"Databricks", d.databricks},
	} {
		if server[1] == "" {
			inside = append(inside, server[0])
		}
	}
	if len(inside) > 0 {
		d.printf("Stand-ins for %s run in this one; --help tells how to use your own.\n", enumerate(inside))
	}
	if d.reporter != nil {
		d.printf("%s\n", d.reporter().told)
	}
	if d.fault.name != "" {
		d.printf("A fault is planted: %s.\n", d.fault.mistake)
	}
	d.printf("\n")
	d.screen = newScreen(d.console, "ingest", "clean", "dispatch", "assess", "report")
}

// showProgress shows the progress of the services.
func (d *demo) showProgress() {
	t := newTally(d.pushes)
	if t.wrote("publish") == 0 {
		d.screen.set("ingest", line{text: "waits for the consumer group"})
		d.screen.set("clean", line{text: plural(d.workers, "worker") + " join the consumer group"})
		return
	}
	for _, l := range []struct {
		service string
		runs    int
		text    string
	}{
		{"ingest", 1, fmt.Sprintf("%s of %s published to Kafka", flow.Count(t.wrote("publish")), plural(d.events, "event"))},
		{"clean", 1, fmt.Sprintf("%s loaded into MongoDB, %s rejected, by %s",
			plural(t.wrote("load"), "quake"), plural(sumOf(t.rejected("transform")), "event"), plural(d.workers, "worker"))},
		{"dispatch", t.runs("dispatch"), fmt.Sprintf("%s given to %s",
			plural(t.wrote("dispatch"), "strong quake"), plural(t.runs("dispatch"), "Kubernetes Job"))},
		{"assess", t.runs("summarise"), plural(t.runs("summarise"), "batch") + " assessed"},
		{"report", t.runs("write"), plural(t.runs("write"), "report") + " written by Databricks runs"},
	} {
		if l.runs > 0 {
			d.screen.set(l.service, line{text: l.text, done: d.over[l.service]})
		}
	}
}

// tellStopped prints what was done before the demo was stopped.
func (d *demo) tellStopped(ran, killed int) {
	t := newTally(d.pushes)
	byForce := ""
	if killed > 0 {
		byForce = fmt.Sprintf(", %d of them only when killed", killed)
	}
	d.printf("\nStopped. %s ended%s. Until then %s of %s events were published,\n%s were loaded and %s rejected.\n",
		plural(ran, "process"), byForce, flow.Count(t.wrote("publish")), flow.Count(d.events),
		flow.Count(t.wrote("load")), flow.Count(sumOf(t.rejected("transform"))))
	if d.kafka != "" && d.mongo != "" {
		d.printf("What is left to do is in Kafka and in the database %s.\n", d.db.Name())
	}
	d.printf("\nThe spans and the logs are in %s\n", d.out)
}
