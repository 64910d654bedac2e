// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command waybill shows a flow and says where it broke. It reads recorded spans from
// files or standard input, and sends nothing anywhere. Only exec, which runs a command
// as a job of a flow, exports the span of the job if it is given an endpoint.
//
//	waybill doctor spans.jsonl      what is wrong, and what to change
//	waybill tree spans.jsonl        the flow as text
//	waybill report spans.jsonl      the flow as one HTML page
//	waybill view                    flows live, while their spans arrive
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
	var showsVersion bool
	root := &cobra.Command{
		Use:   "waybill",
		Short: "see a flow, find the break, bring any job in",
		Long: "waybill shows a flow of OpenTelemetry spans as one picture, however many traces it has,\n" +
			"and says where it broke, which side lost the context, and what to change. Nothing is sent\n" +
			"anywhere, but by exec and --forward, to the endpoint that you name.",
		Example: "  waybill doctor spans.jsonl                what is wrong, and what to change\n" +
			"  waybill report spans.jsonl -o flow.html   the flow as a page to open or to mail\n" +
			"  waybill exec -- ./nightly.sh              a job in any language, as part of its flow",
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			if cmd.Name() != "exec" { // Which treats signals as its command does.
				survivePipe()
			}
		},
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if showsVersion {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "waybill", version())
				return err
			}
			return cmd.Help()
		},

		SuggestionsMinimumDistance: 2,
	}
	// Not the flag of cobra, whose text is a template; see internal/page for what that costs.
	root.Flags().BoolVarP(&showsVersion, "version", "v", false, "version for waybill")
	root.SetUsageFunc(usage)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	})
	addGroup(root, "Look at a flow", newDoctor(), newTree(), newReport(), newView(), newCatalog())
	addGroup(root, "Bring a job into a flow", newExec())
	addGroup(root, "Watch flows in production", newBoards(), newRules())
	root.AddCommand(newMan())
	if err := complete(root); err != nil {
		panic(err) // A flag was renamed.
	}
	return root
}

// addGroup adds commands under a title of the help text.
func addGroup(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, cmd := range commands {
		cmd.GroupID = title
		root.AddCommand(cmd)
	}
}

// noSuchCommand returns the error of a word that is no command, with those that it may
// be meant to be.
func noSuchCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "see waybill --help"
	if similar := root.SuggestionsFor(args[0]); len(similar) > 0 {
		hint = "did you mean " + strings.Join(similar, " or ") + "?"
	}
	return fmt.Errorf("unknown command %q; %s", args[0], hint)
}
