// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// ControlPlane is the control plane of a Kubernetes cluster for one test: etcd, the API
// server, and the controllers of Jobs and CronJobs. There is no scheduler and no kubelet.
type ControlPlane struct {
	// URL is that of the API server, whose certificate is its own, and Token is that of a
	// user who may do everything.
	URL, Token string
}

const kubernetesToken = "e2e"

// Kubernetes starts a control plane.
func Kubernetes(t testing.TB) *ControlPlane {
	t.Helper()
	addrs, err := freeAddrs(3)
	if err != nil {
		t.Fatal(err)
	}
	client, peer, secure := addrs[0], addrs[1], addrs[2]
	k := &ControlPlane{URL: "https://" + secure, Token: kubernetesToken}

	begin(t, &process{
		dir:   t.TempDir(),
		ready: httpReady("http://" + client + "/health"),
		command: []string{
			controlPlaneTool(t, "etcd"), "--data-dir=data", "--unsafe-no-fsync", "--log-level=error",
			"--listen-client-urls=http://" + client, "--advertise-client-urls=http://" + client,
			"--listen-peer-urls=http://" + peer,
		},
	})
	dir := t.TempDir()
	key := writeKey(t, filepath.Join(dir, "accounts.key"))
	tokens := filepath.Join(dir, "tokens.csv")
	if err := os.WriteFile(tokens, []byte(kubernetesToken+",e2e,e2e,system:masters\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(secure)
	begin(t, &process{
		dir:   dir,
		ready: k.ready,
		command: []string{
			controlPlaneTool(t, "kube-apiserver"), "--etcd-servers=http://" + client,
			"--bind-address=" + host, "--secure-port=" + port, "--advertise-address=" + host, "--cert-dir=certificates",
			"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + key,
			"--service-account-signing-key-file=" + key, "--token-auth-file=" + tokens, "--authorization-mode=AlwaysAllow",
			"--service-cluster-ip-range=10.0.0.0/24", "--disable-admission-plugins=ServiceAccount", "-v=0",
		},
	})
	config := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(config, []byte(k.kubeconfig()), 0o600); err != nil {
		t.Fatal(err)
	}
	manager := FreeAddr(t)
	_, managerPort, _ := net.SplitHostPort(manager)
	begin(t, &process{
		dir:   t.TempDir(),
		ready: func(ctx context.Context) error { return get(ctx, "https://"+manager+"/healthz", "") },
		command: []string{
			controlPlaneTool(t, "kube-controller-manager"), "--kubeconfig=" + config, "--authentication-kubeconfig=" + config,
			"--authorization-kubeconfig=" + config, "--bind-address=127.0.0.1", "--secure-port=" + managerPort, "--cert-dir=certificates",
			"--controllers=job-controller,cronjob-controller", "--leader-elect=false", "--use-service-account-credentials=false", "-v=0",
		},
	})
	return k
}

// kubeconfig returns the configuration of a client.
func (k *ControlPlane) kubeconfig() string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: e2e
contexts: [{name: e2e, context: {cluster: e2e, user: e2e}}]
clusters: [{name: e2e, cluster: {server: %q, insecure-skip-tls-verify: true}}]
users: [{name: e2e, user: {token: %q}}]
`, k.URL, k.Token)
}

// ready reports whether the API server is ready, with the namespace of the tests.
func (k *ControlPlane) ready(ctx context.Context) error {
	return errors.Join(get(ctx, k.URL+"/readyz", k.Token), get(ctx, k.URL+"/api/v1/namespaces/default", k.Token))
}

// get reports whether url is answered with 200, by whatever certificate.
func get(ctx context.Context, url, token string) error {
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // The server of the test makes its own.
		DisableKeepAlives: true,
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is answered with %s", url, resp.Status)
	}
	return nil
}

// writeKey writes a new private key to a file and returns its name.
func writeKey(t testing.TB, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(name, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Variable returns the value that kubelet finds for a variable in a file.
func Variable(t testing.TB, file, name string) string {
	t.Helper()
	var failures bytes.Buffer
	cmd := exec.Command(controlPlaneTool(t, "envfile"), file, name)
	cmd.Stderr = &failures
	value, err := cmd.Output()
	if err != nil {
		t.Errorf("kubelet: %v: %s", err, failures.String())
	}
	return string(value)
}

// controlPlaneTool returns the path of a program of the control plane that deps.sh builds.
func controlPlaneTool(t testing.TB, name string) string {
	t.Helper()
	program := filepath.Join(cacheDir(t), "controlplane", name)
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%s is missing: run `make e2e-deps`", name)
	}
	return program
}
