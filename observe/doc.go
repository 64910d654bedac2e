// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package observe describes what happened to a piece of work or a message, as
// plain values, and defines the interfaces of those who want to know.
//
// # When
//
// Import it to write an observer of your own, to classify an error the way
// every span, metric and log of this module does, or to read the events that
// package metrics turns into Prometheus series.
//
// # How
//
// [Classify] returns the [Outcome] of a function that was given a context and
// returned an error; [Outcome.ErrorType] returns the error.type that belongs to
// it. The observer interfaces receive the events of stages ([StageObserver])
// and of messaging clients ([MessagingObserver]) as structs, so that a field
// can be added without breaking an implementation.
//
// # Guarantees
//
//   - One error has one outcome and one name in every package of this module.
//   - Classify and ErrorType never panic, whatever the methods of an error do,
//     and look at no more than 64 errors of a tree.
//   - New events are added as optional interfaces, never as methods of an
//     existing one.
//
// # Limits
//
// The package imports the standard library only. Errors of Kafka clients, of
// gRPC and of Kubernetes are recognized by the name of their Go type; see
// [ErrorType].
package observe
