// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/waybill-go/waybill/examples/internal/program"
)

func TestProgramTellsNothingPersonal(t *testing.T) {
	t.Parallel()
	printed := program.Output(t)
	program.Compare(t, printed, `by default
  process payments  status: *errors.errorString
  load              status: *errors.errorString
  process payments  status: *errors.errorString
with a redactor
  process payments  status: duplicate key: ***, card ***
  load              status: duplicate key: ***, card ***
  process payments  status: duplicate key: ***, card ***
                    messaging.kafka.message.key: a2bb9ffa6319
                    messaging.header.tenant: ["acme"]
                    messaging.header.user: ["579103053a41"]
`)
	for _, secret := range []string{"alice", "4111"} {
		if strings.Contains(printed, secret) {
			t.Errorf("it prints %q", secret)
		}
	}
}

func TestRedactor(t *testing.T) {
	t.Parallel()
	r := redactor{secret: []byte("one")}
	if got, want := r.text(errors.New("no account of bob.b+x@mail.example.org (4111111111111111)")), "no account of *** (***)"; got != want {
		t.Errorf("text = %q, want %q", got, want)
	}
	alice := r.pseudonym([]byte("alice"))
	if again := r.pseudonym([]byte("alice")); again != alice {
		t.Errorf("pseudonym = %q, then %q", alice, again)
	}
	if other := (redactor{secret: []byte("two")}).pseudonym([]byte("alice")); other == alice {
		t.Errorf("with another secret the pseudonym is the same, %q", other)
	}
}
