// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/waybill-go/waybill/cmd/waybill/internal/execute"
	"github.com/waybill-go/waybill/job"
)

// defaultFlushTimeout is how long exec sends telemetry by default.
const defaultFlushTimeout = 5 * time.Second

// rowsModes are the values of --rows.
var rowsModes = []string{string(execute.RowsAuto), string(execute.RowsAlways), string(execute.RowsNever)}

func newExec() *cobra.Command {
	var cfg execute.Config
	var mode string
	cmd := &cobra.Command{
		Use:   "exec [flags] -- COMMAND [ARGUMENT...]",
		Short: "Run a command, in any language, as a job of a flow",
		Long: `Exec runs a command and records it as one span of the flow that started it.

The span continues the context in the variables TRACEPARENT, TRACESTATE, BAGGAGE and WAYBILL,
in either case; else the one in --traceparent=VALUE among the arguments, with --from-args;
else the one in the annotations of the pod. A context that was sent longer than --max-age
ago is linked instead. The command gets the span in the same variables.

The command behaves as it does alone: it has the same standard streams, directory, process
group and signals. The exit code is its own, 128+N if signal N ended it, 126 if it cannot be
executed and 127 if it is not found. As the first process of a container, exec also reaps
the processes that the command leaves behind.

The span has the exit code, the signal, the processor time, the memory, and the rows that
the command reports, on standard output or in the file that $WAYBILL_REPORT names:

  ::rows read=120 wrote=118 rejected=2 reason="no amount"

It is sent by OTLP as the variables OTEL_EXPORTER_OTLP_* say. Without an endpoint nothing is
sent, and the command gets the context that exec was given. A collector that is down or slow
delays the exit by --flush-timeout at most.`,
		Example: `  waybill exec -- ./nightly.sh
  waybill exec --name nightly-report --args -- python3 report.py --day 2026-11-30
  waybill exec --push http://pushgateway:9091 -- ./load.sh
  ENTRYPOINT ["waybill", "exec", "--"]      in a Dockerfile`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("there is no command to run: waybill exec -- COMMAND [ARGUMENT...]")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(rowsModes, mode) {
				return fmt.Errorf("unknown --rows %q; it is auto, always or never", mode)
			}
			if cfg.Push != "" {
				if u, err := url.Parse(cfg.Push); err != nil || u.Host == "" {
					return fmt.Errorf("--push %q is not a URL such as http://pushgateway:9091", cfg.Push)
				}
			}
			cfg.Command, cfg.Rows = args, execute.RowsMode(mode)
			if code := execute.Run(cmd.Context(), cfg); code != exitFine {
				return exitError(code)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false) // The flags after the command are its own.
	flags.StringVar(&cfg.Name, "name", "", "the `NAME` of the span (default: the base name of the command)")
	flags.BoolVar(&cfg.FromArgs, "from-args", false, "look for the context among the arguments too")
	flags.StringVar(&cfg.Annotations, "annotations", job.DefaultAnnotations, "the `FILE` with the annotations of the pod")
	flags.StringVar(&cfg.AnnotationPrefix, "annotation-prefix", job.DefaultAnnotationPrefix, "the `PREFIX` of /traceparent in the annotations")
	flags.DurationVar(&cfg.MaxAge, "max-age", job.DefaultMaxAge, "the `AGE` from which a context is linked; 0 for no limit")
	flags.StringVar(&mode, "rows", rowsModes[0], "`WHEN` to read ::rows on stdout: auto (on a pipe), always, never")
	flags.BoolVar(&cfg.Args, "args", false, "record the arguments, without what looks like a secret")
	flags.BoolVar(&cfg.StderrLine, "stderr-line", false, "record the last line of standard error")
	flags.DurationVar(&cfg.Grace, "grace", 0, "the `TIME` from SIGTERM until the command is killed; 0 for never")
	flags.DurationVar(&cfg.FlushTimeout, "flush-timeout", defaultFlushTimeout, "the longest `TIME` to send telemetry after the command has ended")
	flags.StringVar(&cfg.Push, "push", "", "the `URL` of a Prometheus Pushgateway for the metrics of the run")
	flags.StringVar(&cfg.PushJob, "push-job", "", "the `JOB` of these metrics (default: the name of the span)")
	flags.BoolVar(&cfg.Quiet, "quiet", false, "do not report telemetry that could not be sent")
	return cmd
}
