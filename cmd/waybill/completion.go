// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"

	"github.com/waybill-go/waybill/internal/flow"
)

// complete lets shells complete the values of the flags of all commands.
func complete(root *cobra.Command) error {
	for _, cmd := range root.Commands() {
		for name, values := range flagValues(cmd.Name()) {
			if err := cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
				return err
			}
		}
	}
	return nil
}

// flagValues returns the values of the flags of a command that has few.
func flagValues(command string) map[string][]cobra.Completion {
	switch command {
	case "doctor":
		return map[string][]cobra.Completion{"format": sorted(formats), "fail-on": {"violation", "warning", "info"}, "allow": findingIDs()}
	case "catalog":
		return map[string][]cobra.Completion{"format": sorted(catalogFormats)}
	case "exec":
		return map[string][]cobra.Completion{"rows": rowsModes}
	default:
		return nil
	}
}

// findingIDs returns the ids of all findings with their titles.
func findingIDs() []cobra.Completion {
	var ids []cobra.Completion
	for _, rule := range flow.Rules() {
		ids = append(ids, cobra.CompletionWithDesc(rule.ID, rule.Title))
	}
	return ids
}
