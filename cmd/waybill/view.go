// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waybill-go/waybill/cmd/waybill/internal/live"
	"github.com/waybill-go/waybill/internal/flow"
	"github.com/waybill-go/waybill/internal/receiver"
)

// The addresses of the OpenTelemetry specification, for HTTP and for gRPC.
const (
	httpAddress = "127.0.0.1:4318"
	grpcAddress = "127.0.0.1:4317"
)

// viewing is what view is asked to do.
type viewing struct {
	intake

	page     string
	file     string
	noOpen   bool
	boundary []string
}

func newView() *cobra.Command {
	var v viewing
	cmd := &cobra.Command{
		Use:   "view [FILE...]",
		Short: "Show flows live, while their spans arrive",
		Long: "View takes what SDKs export and shows its flows on a page that grows with them: a list,\n" +
			"the worst first, and the picture of the chosen one. Each flow is what parents, links and\n" +
			"messages hold together, however many traces it has.\n\n" +
			"It keeps the 10,000 flows or 1,000,000 spans that came last, in memory, and sends nothing\n" +
			"anywhere unless --forward says so. Files are loaded at the start.",
		Example: "  waybill view\n" +
			"  waybill view spans.jsonl\n" +
			"  waybill view --file /var/log/otel/spans.jsonl\n" +
			"  waybill view --listen 127.0.0.1:14318 --forward http://127.0.0.1:4318",
		RunE: v.run,
	}
	v.addFlags(cmd, httpAddress, grpcAddress)
	cmd.Flags().StringVar(&v.page, "page", "127.0.0.1:0", "the `ADDRESS` of the page; port 0 is a free one")
	cmd.Flags().StringVar(&v.file, "file", "", "a `FILE` of spans to show while it grows; it need not exist yet")
	cmd.Flags().BoolVar(&v.noOpen, "no-open", false, "do not open a browser")
	cmd.Flags().StringSliceVar(&v.boundary, "boundary", nil, "`SERVICES` that are recorded elsewhere")
	return cmd
}

// memoryLimit is the memory from which on the garbage collector works harder.
const memoryLimit = 600 << 20

func (v *viewing) run(cmd *cobra.Command, args []string) error {
	ctx, stop := untilInterrupt(cmd.Context())
	defer stop()
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	store := live.NewStore(live.Limits{})
	if err := load(cmd, store, args); err != nil {
		return err
	}
	if err := v.listen(cmd, store); err != nil {
		return err
	}
	defer v.stop(cmd)
	expect := flow.Expectation{Boundary: v.boundary}
	server, err := live.Serve(ctx, store, v.page, live.ServerConfig{Endpoints: v.variables(), Expect: expect})
	if err != nil {
		return portInUse(err, "--page")
	}
	defer closeServer(cmd, server)
	if v.file != "" {
		go v.follow(ctx, store)
	}
	go store.ExamineQuiet(ctx, expect)
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "waybill view is at %s\nAn SDK needs:\n  %s\nCtrl-C ends it.\n", server.Address(), strings.Join(v.variables(), "\n  ")); err != nil {
		return err
	}
	if !v.noOpen {
		openBrowser(ctx, server.Address())
	}
	<-ctx.Done()
	stop() // From here on, Ctrl-C ends the program at once.
	return nil
}

// follow shows what is written to the file, and says why if that cannot be read.
func (v *viewing) follow(ctx context.Context, store *live.Store) {
	if _, err := store.Follow(ctx, v.file); err != nil && ctx.Err() == nil {
		v.say(err.Error())
	}
}

// load loads recordings.
func load(cmd *cobra.Command, store *live.Store, files []string) error {
	if len(files) == 0 {
		return nil
	}
	for _, name := range expand(files) {
		loaded, err := store.LoadFile(cmd.Context(), cmd.InOrStdin(), name)
		if err != nil {
			return err
		}
		if loaded.Damaged > 0 {
			cmd.PrintErrf("waybill: %s: %s\n", printable(name), printable(loaded.String()))
		}
	}
	return nil
}

// listen begins to take exports. Where the port of gRPC is in use, the other one takes
// gRPC too.
func (v *viewing) listen(cmd *cobra.Command, store *live.Store) error {
	add := func(r *receiver.Request) error {
		if r.JSON {
			return store.AddJSON(r.Message)
		}
		return store.AddProtobuf(r.Message)
	}
	err := v.start(cmd, add)
	if err != nil && !cmd.Flags().Changed("listen") && strings.Contains(err.Error(), grpcAddress) {
		v.addresses = v.addresses[:1]
		if err = v.start(cmd, add); err == nil {
			cmd.PrintErrf("waybill: %s is in use, so gRPC is taken at %s, as HTTP is\n", grpcAddress, httpAddress)
		}
	}
	return err
}

func closeServer(cmd *cobra.Command, server *live.Server) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), lastExports)
	defer cancel()
	_ = server.Close(ctx) // Pages that are open are cut off.
}
