// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"net"
	"net/netip"
	"strings"
)

// IsLocal reports whether host, the value of a Host header, is an address or a name
// that the public DNS cannot have, such as localhost. The pages of a site can reach
// this machine under their own name if the DNS says that it is the name of this
// machine; a browser then takes them to be of the same origin.
// https://en.wikipedia.org/wiki/DNS_rebinding
func IsLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	// RFC 6761 and RFC 6762 reserve the names, and ICANN reserves internal. Containers
	// reach this machine as host.docker.internal.
	top := host[strings.LastIndex(host, ".")+1:]
	switch top {
	case "localhost", "local", "internal":
		return true
	default:
		return host != "" && !strings.Contains(host, ".") // A name of this network, such as that of a container.
	}
}

// IsLoopback reports whether only this machine can reach address, such as
// 127.0.0.1:4318.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
