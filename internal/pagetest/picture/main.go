// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Command picture makes a picture of a page that waybill report has written: from its
// top to the end of its first flow.
//
//	picture flow.html flow.png
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/waybill-go/waybill/internal/pagetest"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: picture PAGE.html PICTURE.png")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, source, target string) error {
	source, err := filepath.Abs(source)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "waybill-picture-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, stop, err := pagetest.StartBrowser(ctx, dir, 1400, 1000)
	if err != nil {
		return err
	}
	defer stop()
	picture, err := pagetest.ScreenshotOf(ctx, "file://"+source, "figure")
	if err != nil {
		return err
	}
	return os.WriteFile(target, picture, 0o644) //nolint:gosec // It is to be published.
}
