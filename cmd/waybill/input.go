// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waybill-go/waybill/cmd/waybill/internal/recording"
)

// read reads the recordings that args name: files, patterns, or - for standard input,
// which is the default. It reports damaged places on standard error.
func read(cmd *cobra.Command, args []string) (*recording.Recording, error) {
	r, err := recording.Read(cmd.InOrStdin(), expand(args)...)
	if errors.Is(err, recording.ErrNothing) && r.DamagedCount == 1 {
		return r, err // It says where.
	}
	for _, damage := range r.Damaged[:min(len(r.Damaged), shownDamages)] {
		cmd.PrintErrln("waybill: damaged:", printable(damage.String()))
	}
	if left := r.DamagedCount - shownDamages; left > 0 {
		cmd.PrintErrf("waybill: damaged: and %d more places\n", left)
	}
	return r, err
}

const shownDamages = 5

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
