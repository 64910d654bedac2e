// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command diagnosis makes the mistakes that break a flow, one for each finding of
// waybill doctor, and mends them. Each file holds the code of one mistake and of its
// cure. It prints the spans that the code records, as OTLP JSON lines:
//
//	go run ./diagnosis P02 > spans.jsonl
//	go run ./diagnosis -cure P02 > spans.jsonl
//	waybill doctor spans.jsonl
//
// Some mistakes show in the journal of the program:
//
//	WAYBILL_JOURNAL=$PWD/journal.jsonl go run ./diagnosis P06 > spans.jsonl
//	waybill doctor --journal journal.jsonl spans.jsonl
//
// The pages in docs/diagnosis show this code, and the tests of the command read the
// spans that it has recorded.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"time"
)

// timeout is the time in which a case must end.
const timeout = 30 * time.Second

func main() {
	log.SetFlags(0)
	runJob()
	cure := flag.Bool("cure", false, "run the code without the mistake")
	flag.Parse()
	m, ok := mistakes[flag.Arg(0)]
	if !ok {
		log.Fatal("usage: diagnosis [-cure] P01...P24")
	}
	run := m.fault
	if *cure {
		run = m.cure
	}
	spans, err := record(context.Background(), run)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := os.Stdout.Write(spans); err != nil {
		log.Fatal(err)
	}
}

// record runs a case and returns the spans that it has recorded, a line a service.
func record(ctx context.Context, run code) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s, err := newSystem()
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err = run(ctx, s); err != nil {
		return nil, err
	}
	if err = s.shutdown(ctx); err != nil {
		return nil, fmt.Errorf("export the spans: %w", err)
	}
	var lines bytes.Buffer
	err = write(&lines, s.traces.Received())
	return lines.Bytes(), err
}
