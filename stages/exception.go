// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package stages

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"

	"github.com/waybill-go/waybill/internal/scope"
	"github.com/waybill-go/waybill/internal/semconv"
	"github.com/waybill-go/waybill/observe"
)

// varExceptionSignal is the variable that chooses how panics are recorded.
// https://opentelemetry.io/docs/specs/semconv/exceptions/
const varExceptionSignal = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"

// exceptionSignal is how panics are recorded.
type exceptionSignal uint8

const (
	exceptionOnSpan exceptionSignal = iota // As an event of the span.
	exceptionInLogs                        // As a log record.
	exceptionInBoth
)

// readExceptionSignal returns what the environment says. Other values than those of the
// conventions are ignored.
func readExceptionSignal() exceptionSignal {
	switch os.Getenv(varExceptionSignal) {
	case "logs":
		return exceptionInLogs
	case "logs/dup":
		return exceptionInBoth
	default:
		return exceptionOnSpan
	}
}

// WithLoggerProvider sets the logger provider that panics are recorded with, if the
// variable OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN asks for log records; see the package
// documentation. If provider is nil, the global provider at the time of the call is
// used, which is the default.
func WithLoggerProvider(provider log.LoggerProvider) Option {
	return optionFunc(func(c config) config {
		c.loggers = provider
		return c
	})
}

// errNoLogger is reported when panics are to be log records that nobody records.
var errNoLogger = errors.New("stages: " + varExceptionSignal + " is set, but the logger provider records nothing: panics are recorded on spans")

// isOnSpan emits the log record of a panic if the user wants it, and reports whether
// the panic is to be recorded on the span. It must be called while the function panics,
// for its stack.
func (c *call) isOnSpan(value any, err error) bool {
	s := c.run.stage
	if s.exceptions == exceptionOnSpan {
		return true
	}
	if !c.logException(value, s.description(err)) {
		s.noLogger.Do(func() { handle(errNoLogger) })
		return true
	}
	return s.exceptions == exceptionInBoth
}

// logException reports whether the panic was recorded by the logger provider.
func (c *call) logException(value any, text string) (recorded bool) {
	s := c.run.stage
	defer s.contain(observe.DropLogger)
	provider := s.loggers
	if provider == nil {
		provider = otel.GetLoggerProvider()
	}
	logger := provider.Logger(scope.Module+"/stages", log.WithInstrumentationVersion(scope.Version), log.WithSchemaURL(semconv.SchemaURL))
	if !logger.Enabled(c, log.EnabledParameters{Severity: log.SeverityError, EventName: semconv.ExceptionEvent}) {
		return false
	}
	var record log.Record
	record.SetTimestamp(time.Now())
	record.SetSeverity(log.SeverityError)
	record.SetEventName(semconv.ExceptionEvent)
	record.AddAttributes(exceptionAttributes(value, text)...)
	record.AddAttributes(startAttributes(s.id)...)
	logger.Emit(c, record)
	return true
}

// exceptionAttributes describe a panic with the text that may be recorded of it.
func exceptionAttributes(value any, text string) []attribute.KeyValue {
	attributes := []attribute.KeyValue{semconv.ExceptionTypeKey.String(fmt.Sprintf("%T", value))}
	if text != "" {
		attributes = append(attributes, semconv.ExceptionMessageKey.String(text))
	}
	return append(attributes, semconv.ExceptionStacktraceKey.String(string(debug.Stack())))
}
