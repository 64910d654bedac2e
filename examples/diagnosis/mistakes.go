// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/segmentio/kafka-go"
)

// code is a part of a program that makes a mistake, or does not.
type code func(ctx context.Context, s *system) error

// mistakes are the mistakes and their cures, by the finding of each.
var mistakes = map[string]struct{ fault, cure code }{
	"P01": {handling(p01Fault), handling(p01Cure)},
	"P02": {sending(p02Fault), sending(p02Cure)},
	"P03": {startingJob("fault"), startingJob("cure")},
	"P04": {p04Fault, p04Cure},
	"P05": {p05Fault, p05Cure},
	"P06": {sending(p06Fault), sending(p06Cure)},
	"P07": {p07Fault, p07Cure},
	"P08": {sending(p08Fault), sending(p08Cure)},
	"P09": {handlingB3(p09Fault), handlingB3(p09Cure)},
	"P10": {handling(p10Fault), handling(p10Cure)},
	"P11": {retrying(p11Fault), retrying(p11Cure)},
	"P12": {handlingAll(p12Fault), handlingAll(p12Cure)},
	"P13": {sendingAll(p13Fault, imported), sendingAll(p13Cure, imported)},
	"P14": {handlingAll(p14Fault), handlingAll(p14Cure)},
	"P15": {p15Fault, p15Cure},
	"P16": {p16Fault, p16Cure},
	"P17": {sendingAll(p17Fault, 2), sendingAll(p17Cure, 2)},
	"P18": {p18Fault, p18Cure},
	"P19": {sending(p19Fault), sending(p19Cure)},
	"P20": {ordering(p20Fault), ordering(p20Cure)},
	"P21": {p21Fault, p21Cure},
	"P22": {p22Fault, p22Cure},
	"P23": {sending(p23Fault), sending(p23Cure)},
	"P24": {handlingAll(p24Fault), handlingAll(p24Cure)},
}

// handling lets worker handle an order of api with code.
func handling(code func(context.Context, *system, kafka.Message) error) code {
	return handlingOrders([]string{"book"}, func(ctx context.Context, s *system, msgs []kafka.Message) error {
		return code(ctx, s, msgs[0])
	})
}

// handlingAll lets worker handle some orders of api with code.
func handlingAll(code func(context.Context, *system, []kafka.Message) error) code {
	return handlingOrders([]string{"book", "pen", "lamp"}, code)
}

func handlingOrders(what []string, code func(context.Context, *system, []kafka.Message) error) code {
	return func(ctx context.Context, s *system) error {
		if err := s.sendOrders(ctx, s.api, what...); err != nil {
			return err
		}
		msgs, err := s.fetch(ctx, "orders", len(what))
		if err != nil {
			return err
		}
		return code(ctx, s, msgs)
	}
}

// handlingB3 lets worker handle an order with code, which api has sent with a context in
// the format B3.
func handlingB3(code func(context.Context, *system, kafka.Message) error) code {
	return func(ctx context.Context, s *system) error {
		if err := s.sendB3(ctx); err != nil {
			return err
		}
		msgs, err := s.fetch(ctx, "orders", 1)
		if err != nil {
			return err
		}
		return code(ctx, s, msgs[0])
	}
}

// sending lets api send an order with code, and worker handle it.
func sending(code func(context.Context, *system) error) code {
	return sendingAll(code, 1)
}

// sendingAll lets api send n messages with code, and worker handle them.
func sendingAll(code code, n int) code {
	return func(ctx context.Context, s *system) error {
		request, span := s.api.Start(ctx, "POST /orders", server)
		err := code(request, s)
		span.End()
		if err != nil {
			return err
		}
		return s.work(ctx, "orders", n)
	}
}

// retrying lets worker send an order to the retry topic with code, and handle it then.
func retrying(code func(context.Context, *system, kafka.Message) error) code {
	return handling(func(ctx context.Context, s *system, msg kafka.Message) error {
		err := s.process(ctx, msg, func(ctx context.Context) error { return code(ctx, s, msg) })
		if err != nil {
			return err
		}
		return s.work(ctx, "orders.retry", 1)
	})
}
