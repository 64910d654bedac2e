// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waybill-go/waybill/cmd/waybill/internal/recording"
	"github.com/waybill-go/waybill/internal/flow"
)

// read reads the recordings that args name: files, patterns, or - for standard input,
// which is the default. Of the attributes of spans it may leave out those that keep does
// not select; nil keeps all. It reports progress and damaged places on standard error.
func read(cmd *cobra.Command, args []string, keep func(key string) bool) (*recording.Recording, error) {
	files := expand(args)
	if slices.Contains(files, recording.Stdin) && isTerminal(cmd.InOrStdin()) {
		cmd.PrintErrln("waybill: waiting for spans from the terminal, which end with Ctrl-D; " + cmd.CommandPath() + " FILE reads a file")
	}
	saveMemory()
	shown := newProgress(cmd.ErrOrStderr())
	r, err := (&recording.Reader{Stdin: cmd.InOrStdin(), Keep: keep, Progress: shown.update}).Read(cmd.Context(), files...)
	shown.end()
	if !errors.Is(err, recording.ErrNoSpans) { // Which says what was damaged.
		printDamages(cmd, r)
	}
	return r, err
}

// saveMemory lets the program collect garbage more often than programs do whose memory
// grows little: a recording of a million spans takes a third less memory, and as long.
func saveMemory() {
	const percent = 50
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

const shownDamages = 5

func printDamages(cmd *cobra.Command, r *recording.Recording) {
	for _, damage := range r.Damaged[:min(len(r.Damaged), shownDamages)] {
		cmd.PrintErrln("waybill: damaged:", line(damage.String()))
	}
	if left := r.DamagedCount - shownDamages; left > 0 {
		cmd.PrintErrf("waybill: damaged: and %s\n", flow.Plural(left, "more place"))
	}
}

// expand returns the files that args name.
func expand(args []string) []string {
	if len(args) == 0 {
		return []string{recording.Stdin}
	}
	var files []string
	for _, arg := range args {
		if !strings.ContainsAny(arg, "*?[") {
			files = append(files, arg)
			continue
		}
		matches, err := filepath.Glob(arg)
		if err != nil || len(matches) == 0 {
			matches = []string{arg} // A file may be called so; opening it tells.
		}
		files = append(files, matches...)
	}
	return files
}
