// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command waybill shows a flow and says where it broke. It reads recorded spans from
// files or standard input, and sends nothing anywhere. Only exec, which runs a command
// as a job of a flow, exports the span of the job if it is given an endpoint.
//
//	waybill doctor spans.jsonl      what is wrong, and what to change
//	waybill tree spans.jsonl        the flow as text
//	waybill report spans.jsonl      the flow as one HTML page
//	waybill exec -- COMMAND         a job in any language, as a span of its flow
//
// Run waybill help for all commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitFine     = 0
	exitFindings = 1 // There are findings at or above --fail-on.
	exitUsage    = 2 // Wrong use, or nothing could be read.
)

// errFindings ends a command that has printed findings.
var errFindings = errors.New("findings")

func main() {
	// Signals end the program at once. A command that has to tidy up, or to pass them on,
	// asks for them itself.
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run runs the program and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var exit exitError
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE):
		return exitFine
	case errors.Is(err, errFindings):
		return exitFindings
	case errors.As(err, &exit):
		return int(exit)
	default:
		root.PrintErrln("waybill:", printable(strings.ReplaceAll(err.Error(), "\t", "    ")))
		return exitUsage
	}
}

// exitError is an exit code that a command has decided on; it has said why.
type exitError int

// Error implements error.
func (e exitError) Error() string { return fmt.Sprintf("exit %d", int(e)) }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "waybill",
		Short:         "See a flow, find the break, bring any job in",
		Long:          "waybill shows a flow of OpenTelemetry spans as one picture, however many traces it has,\nand says where it broke, which side lost the context, and what to change.\nNothing is sent anywhere, but by exec and --forward, to the endpoint that you name.",
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			if cmd.Name() != "exec" { // Which treats signals as its command does.
				survivePipe()
			}
		},
		Version: version(),
	}
	root.SetVersionTemplate("waybill {{.Version}}\n")
	root.AddCommand(newBoards(), newCatalog(), newDoctor(), newExec(), newReport(), newRules(), newTree())
	return root
}
