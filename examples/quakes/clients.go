// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/databricks/databricks-sdk-go/client"
	databricks "github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/service/jobs"
	"k8s.io/client-go/kubernetes"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"
	"k8s.io/client-go/tools/clientcmd"
)

// namespace is the namespace of the Jobs.
const namespace = "default"

// kubernetesJobs returns a client for the Jobs in the cluster of a kubeconfig.
func kubernetesJobs(kubeconfig string) (batchclient.JobInterface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.Timeout = patience
	set, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return set.BatchV1().Jobs(namespace), nil
}

// databricksJobs returns a client for the jobs of a workspace.
func databricksJobs(host, token string) (*jobs.JobsAPI, error) {
	c, err := client.New(&databricks.Config{
		Host: host, Token: token,
		HTTPTimeoutSeconds: int(patience.Seconds()), RetryTimeoutSeconds: int(patience.Seconds()),
	})
	if err != nil {
		return nil, err
	}
	return jobs.NewJobs(c), nil
}

// checkDatabricks returns an error unless the workspace has the job.
func checkDatabricks(ctx context.Context, host, token, job string) error {
	if token == "" {
		return fmt.Errorf("there is no token in %s", envDatabricksToken)
	}
	// The client of Databricks would try for minutes.
	response, err := (&http.Client{Timeout: patience}).Get(host)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	id, err := strconv.ParseInt(job, 10, 64)
	if err != nil {
		return err
	}
	api, err := databricksJobs(host, token)
	if err != nil {
		return err
	}
	_, err = api.GetByJobId(ctx, id)
	return err
}
