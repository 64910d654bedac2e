// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man",
		Short: "Print the manual page",
		Long:  "Man prints the help texts of all commands as one manual page.",
		Example: "  waybill man | man -l -\n" +
			"  waybill man > ~/.local/share/man/man1/waybill.1",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), manual(cmd.Root()))
			return err
		},
	}
}

// manual returns the manual page of the program, in the macros of man(7).
// https://man7.org/linux/man-pages/man7/man.7.html
//
// The page is made here and not by package doc of cobra, which takes descriptions for
// Markdown, writes a page for each command, and brings a parser of Markdown and one of
// YAML.
func manual(root *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH WAYBILL 1 \"\" \"waybill %s\" \"User commands\"\n.SH NAME\nwaybill \\- %s\n.SH DESCRIPTION\n", roff(version()), roff(root.Short))
	writeManual(&b, root, ".SH")
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() && cmd.GroupID != "" {
			fmt.Fprintf(&b, ".SH \"WAYBILL %s\"\n", strings.ToUpper(cmd.Name()))
			writeManual(&b, cmd, ".SS")
		}
	}
	return b.String()
}

// writeManual writes the help text of cmd, with the macro heading before each of its
// parts.
func writeManual(b *strings.Builder, cmd *cobra.Command, heading string) {
	cmd.InitDefaultHelpFlag()
	fmt.Fprintf(b, "%s\n", preformatted(cmd.Long))
	for _, s := range sections(cmd) {
		title := s.title
		if heading == ".SH" {
			title = strings.ToUpper(title)
		}
		fmt.Fprintf(b, "%s \"%s\"\n%s\n", heading, roff(title), preformatted(s.text))
	}
}

// preformatted returns text whose lines stay as they are.
func preformatted(text string) string { return ".nf\n" + roff(text) + "\n.fi" }

// roff escapes text for roff. A line that begins with a dot or an apostrophe would be
// a request.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n.", "\n\\&.", "\n'", "\n\\&'").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
