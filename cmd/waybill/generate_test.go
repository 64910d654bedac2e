// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
)

// synthetic is a recording of a number of spans, as the file exporter of a collector
// writes it: a line for each batch of 100 spans, of 1,200 bytes a span. It is the same
// whenever it is read. Each flow is a request, the message that it sends, its handling,
// and a query; every thousandth message has lost its context.
type synthetic struct {
	spans, next int
	line        []byte // The rest of the current one.
	templates   []template
}

const (
	spansPerLine = 100
	spansPerFlow = 4
)

// template is the text of a span, between which its numbers are written.
type template struct{ parts [][]byte }

func newSynthetic(t testing.TB, spans int) *synthetic {
	t.Helper()
	g := &synthetic{spans: spans}
	for n, s := range []struct {
		name   string
		kind   int
		parent bool
	}{{"POST /orders", 2, false}, {"send orders", 4, true}, {"process orders", 5, true}, {"INSERT orders", 3, true}} {
		span := bad(1, 0, s.name, s.kind)
		span.TraceID, span.SpanID, span.Start, span.End = "@trace", "@span", "@start", "@end"
		if s.parent {
			span.ParentSpanID = "@parent"
		}
		attributes := map[string]string{
			"messaging.system": "kafka", "messaging.destination.name": "orders", "messaging.operation.type": []string{"", "send", "process", ""}[n],
			"messaging.destination.partition.id": "3", "messaging.kafka.offset": "@flow", "server.address": "broker-0.kafka.example.com",
			"url.full": "https://shop.example.com/orders?customer=@flow&expand=positions,addresses", "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
			"http.request.method": "POST", "http.response.status_code": "201", "db.query.text": "INSERT INTO orders (id, customer, total) VALUES ($1, $2, $3)",
			"network.peer.address": "10.0.12.34", "code.function.name": "example.com/shop/orders.(*Handler).ServeHTTP", "thread.name": "worker-7",
		}
		for _, key := range sorted(attributes) {
			value := attributes[key]
			if value != "" && strings.HasPrefix(key, "messaging") == (n == 1 || n == 2) {
				span.Attributes = append(span.Attributes, text(key, value))
			}
		}
		span.Attributes = append(span.Attributes, text("padding", ""))
		content := marshal(t, span)
		span.Attributes[len(span.Attributes)-1] = text("padding", strings.Repeat("x", max(0, 1140-len(content))))
		g.templates = append(g.templates, newTemplate(marshal(t, span)))
	}
	return g
}

func marshal(t testing.TB, v any) string {
	t.Helper()
	content, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// fields are the numbers of a span, in the order of their names.
var fields = []string{"@trace", "@span", "@parent", "@start", "@end", "@flow"}

func newTemplate(text string) template {
	var t template
	for {
		at, which := len(text), -1
		for n, field := range fields {
			if i := strings.Index(text, field); i >= 0 && i < at {
				at, which = i, n
			}
		}
		t.parts = append(t.parts, []byte(text[:at]))
		if which < 0 {
			return t
		}
		t.parts = append(t.parts, []byte{byte(which)})
		text = text[at+len(fields[which]):]
	}
}

// append appends span n.
func (g *synthetic) append(line []byte, n int) []byte {
	flow := n/spansPerFlow + 1
	t := &g.templates[n%spansPerFlow]
	trace, parent := flow, n // Span n has the id n+1.
	if flow%1000 == 0 && n%spansPerFlow >= 2 {
		trace = flow + 1<<40
		if n%spansPerFlow == 2 {
			parent = 0
		}
	}
	for i := 0; i < len(t.parts); i++ {
		line = append(line, t.parts[i]...)
		if i++; i == len(t.parts) {
			break
		}
		switch at := 1_700_000_000_000_000_000 + 1000*n; fields[t.parts[i][0]] {
		case "@trace":
			line = appendHex(line, 32, trace)
		case "@span":
			line = appendHex(line, 16, n+1)
		case "@parent":
			if parent > 0 {
				line = appendHex(line, 16, parent)
			}
		case "@start":
			line = strconv.AppendInt(line, int64(at), 10)
		case "@end":
			line = strconv.AppendInt(line, int64(at+5_000_000), 10)
		case "@flow":
			line = strconv.AppendInt(line, int64(flow), 10)
		}
	}
	return line
}

func appendHex(line []byte, digits, n int) []byte {
	const hex = "0123456789abcdef"
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		if shift >= 64 {
			line = append(line, '0')
			continue
		}
		line = append(line, hex[n>>shift&15])
	}
	return line
}

// Read implements [io.Reader].
func (g *synthetic) Read(p []byte) (int, error) {
	if len(g.line) == 0 {
		if g.next >= g.spans {
			return 0, io.EOF
		}
		g.fill()
	}
	n := copy(p, g.line)
	g.line = g.line[n:]
	return n, nil
}

// fill makes the next line: the spans of one service of its flows, as they are exported.
func (g *synthetic) fill() {
	line := []byte(`{"resourceSpans":[`)
	for part, service := range []string{"shop", "billing"} {
		if part > 0 {
			line = append(line, ',')
		}
		line = fmt.Appendf(line, `{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":%q}},{"key":"service.instance.id","value":{"stringValue":"%s-1"}}]},`+
			`"scopeSpans":[{"scope":{"name":"example.com/%s"},"spans":[`, service, service, service)
		first := true
		for n := g.next; n < min(g.next+spansPerLine, g.spans); n++ {
			if n%spansPerFlow/2 != part {
				continue
			}
			if !first {
				line = append(line, ',')
			}
			line, first = g.append(line, n), false
		}
		line = append(line, "]}]}"...)
	}
	line = append(line, "]}\n"...)
	g.line = line
	g.next += spansPerLine
}
