// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Envfile prints the value that kubelet finds for a variable in a file:
//
//	envfile FILE VARIABLE
package main

import (
	"fmt"
	"os"

	"k8s.io/kubernetes/pkg/kubelet/util/env"
)

func main() {
	value, err := env.ParseEnv(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(value)
}
