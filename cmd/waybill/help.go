// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// helpWidth is the number of columns of a help text.
const helpWidth = 90

// section is a part of a help text, and of the manual page.
type section struct {
	title string
	text  string // Indented by two spaces.
}

// usage prints how cmd is used: what follows its description in a help text.
func usage(cmd *cobra.Command) error {
	var b strings.Builder
	for i, s := range sections(cmd) {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s:\n%s\n", s.title, s.text)
	}
	if !cmd.HasParent() {
		b.WriteString("\nwaybill COMMAND --help says more about a command.\n")
	}
	_, err := io.WriteString(cmd.OutOrStderr(), b.String())
	return err
}

// sections returns the parts of the help text of cmd that are not empty.
func sections(cmd *cobra.Command) []section {
	use := cmd.UseLine()
	if !cmd.HasParent() {
		use = "waybill COMMAND [flags]"
	}
	all := []section{{"Usage", "  " + use}, {"Examples", cmd.Example}}
	other := ""
	for _, group := range cmd.Groups() {
		other = "Other commands"
		all = append(all, section{strings.TrimSuffix(group.Title, ":"), commandsOf(cmd, group.ID)})
	}
	all = append(
		all,
		section{cmp.Or(other, "Commands"), commandsOf(cmd, "")},
		section{"Flags", cmd.LocalFlags().FlagUsagesWrapped(helpWidth)},
		section{"Input", inputOf(cmd)},
		section{"Exit codes", exitCodesOf(cmd)},
		section{"Environment", environments[cmd.Name()]},
	)
	for i := range all {
		all[i].text = strings.Trim(all[i].text, "\n")
	}
	return slices.DeleteFunc(all, func(s section) bool { return s.text == "" })
}

// commandsOf lists the commands of a group.
func commandsOf(cmd *cobra.Command, group string) string {
	var b strings.Builder
	for _, c := range cmd.Commands() {
		if c.GroupID == group && (c.IsAvailableCommand() || c.Name() == "help") {
			fmt.Fprintf(&b, "  %-*s  %s\n", cmd.NamePadding(), c.Name(), c.Short)
		}
	}
	return b.String()
}

// inputOf returns what a command reads.
func inputOf(cmd *cobra.Command) string {
	if !strings.Contains(cmd.Use, "[FILE...]") {
		return ""
	}
	stdin := "- is standard input, which is\n  read if no file is named. A damaged place is named, and the rest is used."
	if cmd.Name() == "view" {
		stdin = "A damaged place is counted,\n  and the rest is used."
	}
	return `  Files with spans, also compressed with gzip or zstd. Each is recognized by its content:
  OTLP as JSON lines, as one JSON document or as protobuf, and the exports of Jaeger UI and
  of Tempo. Patterns such as 'spans/*.jsonl' are expanded. ` + stdin
}

// exitCodesOf returns the exit codes of a command.
func exitCodesOf(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return exitCodes["doctor"]
	}
	if codes, ok := exitCodes[cmd.Name()]; ok {
		return codes
	}
	return `  0  all went well
  2  it was used wrongly, or something could not be read or written`
}

// exitCodes are the exit codes of the commands that have codes of their own.
var exitCodes = map[string]string{
	"doctor": `  0  all went well
  1  there are findings at or above --fail-on
  2  it was used wrongly, or nothing could be read`,
	"catalog": `  0  all went well
  1  there are changes of a kind in --fail-on
  2  it was used wrongly, or nothing could be read`,
	"exec": `  that of COMMAND; 128+N if signal N ended it
  2    exec was used wrongly
  126  COMMAND cannot be executed
  127  COMMAND was not found`,
}

const colorEnvironment = `  NO_COLOR  if it is set, text on a terminal has no colors`

// environments are the variables that the commands read.
var environments = map[string]string{
	"waybill": colorEnvironment,
	"doctor":  colorEnvironment,
	"tree":    colorEnvironment,
	"catalog": colorEnvironment,
	"view":    `  GOMEMLIMIT  the memory from which on it collects garbage more often (default 600MiB)`,
	"exec": `  TRACEPARENT, TRACESTATE,  the context that the span continues; COMMAND gets its own
  BAGGAGE, WAYBILL
  OTEL_EXPORTER_OTLP_*      where and how the span is sent, such as ..._ENDPOINT, ..._PROTOCOL
                            (http/protobuf or grpc), ..._HEADERS, ..._COMPRESSION
  OTEL_SERVICE_NAME,        the resource of the span
  OTEL_RESOURCE_ATTRIBUTES
  OTEL_SDK_DISABLED=true,   nothing is recorded
  OTEL_TRACES_EXPORTER=none
  WAYBILL_REPORT            set for COMMAND: the file to which it may report rows`,
}
