// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package otlp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The protocols.
const (
	protocolHTTP = "http/protobuf"
	protocolGRPC = "grpc"
)

// grpcPath is the path of the one method that is called.
const grpcPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

// environment reads the variables of the exporter; those for traces win.
// https://opentelemetry.io/docs/specs/otel/protocol/exporter/
type environment func(string) string

func (getenv environment) get(name string) string {
	if value := strings.TrimSpace(getenv("OTEL_EXPORTER_OTLP_TRACES_" + name)); value != "" {
		return value
	}
	return strings.TrimSpace(getenv("OTEL_EXPORTER_OTLP_" + name))
}

// New returns a client for the collector that the variables name. A value that is not one
// of those of a variable, and not a number where it has to be one, is ignored, after a
// call of warn, as the specification asks; a span is better sent otherwise than not at all.
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
func New(getenv func(string) string, warn func(error)) (*Client, error) {
	env := environment(getenv)
	c := &Client{
		grpc:    env.oneOf("PROTOCOL", warn, protocolHTTP, protocolGRPC) == protocolGRPC,
		gzip:    env.oneOf("COMPRESSION", warn, "none", "gzip") == "gzip",
		timeout: env.timeout(warn),
	}
	endpoint := env.endpointHTTP
	if c.grpc {
		endpoint = env.endpointGRPC
	}
	var err error
	if c.url, err = endpoint(); err != nil {
		return nil, err
	}
	if c.header, err = parseHeader(env.get("HEADERS")); err != nil {
		return nil, err
	}
	config, err := env.tls()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true}
	if c.grpc {
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetHTTP2(true)
		transport.Protocols.SetUnencryptedHTTP2(true)
	}
	c.http = &http.Client{Transport: transport}
	return c, nil
}

// endpointHTTP returns the URL to post to. An endpoint for traces is used as it is.
func (getenv environment) endpointHTTP() (string, error) {
	u, err := parseEndpoint(getenv.get("ENDPOINT"))
	switch {
	case err != nil:
		return "", err
	case strings.TrimSpace(getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")) == "":
		u = u.JoinPath("v1/traces")
	case u.Path == "":
		u.Path = "/"
	}
	return u.String(), nil
}

// endpointGRPC returns the URL to post to. An endpoint may be HOST:PORT.
func (getenv environment) endpointGRPC() (string, error) {
	endpoint := getenv.get("ENDPOINT")
	if !strings.Contains(endpoint, "://") {
		scheme := "https://"
		if strings.EqualFold(getenv.get("INSECURE"), "true") {
			scheme = "http://"
		}
		endpoint = scheme + endpoint
	}
	u, err := parseEndpoint(endpoint)
	if err != nil {
		return "", err
	}
	u.Path = grpcPath
	return u.String(), nil
}

func parseEndpoint(endpoint string) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("endpoint %q is not a URL such as http://collector:4318", redacted(endpoint))
	}
	return u, nil
}

// redacted returns endpoint without a user and a password.
func redacted(endpoint string) string {
	if i := strings.LastIndexByte(endpoint, '@'); i >= 0 {
		return "***" + endpoint[i:]
	}
	return endpoint
}

// oneOf returns the value of a variable if it is one of values, or the first of them.
func (getenv environment) oneOf(name string, warn func(error), values ...string) string {
	value := getenv.get(name)
	if slices.Contains(values, value) {
		return value
	}
	if value != "" {
		warn(fmt.Errorf("%s %q is not one of %s; the default, %s, is used", strings.ToLower(name), value, strings.Join(values, " and "), values[0]))
	}
	return values[0]
}

func (getenv environment) timeout(warn func(error)) time.Duration {
	const standard = 10 * time.Second
	value := getenv.get("TIMEOUT")
	if value == "" {
		return standard
	}
	ms, err := strconv.ParseInt(value, 10, 32)
	if err != nil || ms <= 0 {
		warn(fmt.Errorf("timeout %q is not a number of milliseconds; the default, %v, is used", value, standard))
		return standard
	}
	return time.Duration(ms) * time.Millisecond
}

// parseHeader reads KEY=VALUE,..., where values are percent-encoded.
func parseHeader(list string) (http.Header, error) {
	header := http.Header{}
	for pair := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		decoded, err := url.PathUnescape(strings.TrimSpace(value))
		if key = strings.TrimSpace(key); !ok || err != nil || key == "" {
			return nil, errors.New("the headers are not KEY=VALUE, separated by commas and percent-encoded") // They hold secrets.
		}
		header.Set(key, decoded)
	}
	return header, nil
}

// tls returns the certificates of the variables, or nil.
func (getenv environment) tls() (*tls.Config, error) {
	authority, certificate, key := getenv.get("CERTIFICATE"), getenv.get("CLIENT_CERTIFICATE"), getenv.get("CLIENT_KEY")
	if authority == "" && certificate == "" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if authority != "" {
		content, err := os.ReadFile(authority) //nolint:gosec // The user names the file.
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("%s holds no certificate", authority)
		}
	}
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
