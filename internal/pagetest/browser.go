// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package pagetest

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browsers are the names of programs that the tests can drive.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}

// FindBrowser returns the path of a browser.
func FindBrowser() (string, error) {
	for _, name := range browsers {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("a browser is missing; on Debian: apt-get install -y chromium")
}

// StartBrowser starts a browser without a window, of width times height pixels, and
// returns a context for its tabs. Its profile is in dir.
func StartBrowser(ctx context.Context, dir string, width, height int) (context.Context, context.CancelFunc, error) {
	path, err := FindBrowser()
	if err != nil {
		return nil, nil, err
	}
	ctx, stop := chromedp.NewExecAllocator(ctx,
		chromedp.ExecPath(path), chromedp.UserDataDir(dir), chromedp.WindowSize(width, height),
		chromedp.NoSandbox, chromedp.Headless, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("force-color-profile", "srgb"),
	)
	ctx, closeBrowser := chromedp.NewContext(ctx)
	if err := chromedp.Do(ctx); err != nil {
		closeBrowser()
		stop()
		return nil, nil, fmt.Errorf("start %s: %w", path, err)
	}
	return ctx, func() { closeBrowser(); stop() }, nil
}

// ScreenshotOf returns a picture of a page, as wide as the tab of ctx, from its top to
// the end of the element that selector selects.
func ScreenshotOf(ctx context.Context, address, selector string) ([]byte, error) {
	ctx, closeTab := chromedp.NewContext(ctx)
	defer closeTab()
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		return nil, err
	}
	size, err := chromedp.Run(ctx, chromedp.Evaluate[struct{ Width, Height float64 }](
		fmt.Sprintf("({Width: innerWidth, Height: document.querySelector(%q).getBoundingClientRect().bottom + scrollY + 20})", selector)))
	if err != nil {
		return nil, err
	}
	whole := true
	picture, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: &whole,
		Clip: &page.Viewport{Width: size.Width, Height: size.Height, Scale: 1},
	})
	if err != nil {
		return nil, err
	}
	return picture.Data, nil
}

// Complaints are what a tab said that a page should not make it say: errors and
// warnings of the console, violations of the policy, exceptions, dialogs, and requests
// for anything but the page itself. It is safe for concurrent use.
type Complaints struct {
	mu   sync.Mutex
	said []string
}

// Watch collects the complaints of the tab of ctx.
func Watch(ctx context.Context) (*Complaints, error) {
	c := &Complaints{}
	return c, chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
				c.add("console %s: %v", e.Type, e.Args)
			}
		case *runtime.EventExceptionThrown:
			c.add("exception: %s %s", e.ExceptionDetails.Text, descriptionOf(e.ExceptionDetails.Exception))
		case *log.EventEntryAdded:
			c.add("log %s: %s", e.Entry.Level, e.Entry.Text)
		case *page.EventJavascriptDialogOpening:
			c.add("dialog: %s", e.Message)
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(e.Request.URL, "file:") {
				c.add("request: %s", e.Request.URL)
			}
		}
	})
}

// descriptionOf returns what an exception says, and where it was thrown.
func descriptionOf(exception *runtime.RemoteObject) string {
	if exception == nil {
		return ""
	}
	return exception.Description
}

func (c *Complaints) add(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, fmt.Sprintf(format, args...))
}

// All returns the complaints.
func (c *Complaints) All() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.said)
}
